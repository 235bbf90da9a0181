"""The pilots of the nodes of one allocation, as they know of each other: a small file each, in its folder."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from towline.on_worker.attempt_files import host, write_whole
from towline.on_worker.batch.room import Capacity, has_room
from towline.on_worker.batch.settings import BatchSettings
from towline.on_worker.batch.spool import Need

#: Followed by the number of the node and ``.json``.
LIFE_FILE = "towline_node"

#: A node that gave no sign of life for so long is not waited for.
_SILENT_SECONDS = 60.0
#: Between two writings that nobody waits for.
_AT_MOST_EVERY_SECONDS = 1.0


class Crew:
    """What a pilot tells of its node, and reads of the others."""

    def __init__(self, run_dir: Path, settings: BatchSettings, capacity: Capacity) -> None:
        self._run_dir = run_dir
        #: Of this node, and how many there are.
        self.number, self.size = settings.node, len(settings.cores)
        self._others = [number for number in range(self.size) if number != self.number]
        self._capacity = capacity
        self._told_at = 0.0

    def tell(self, state: str, facts: Mapping[str, Any], *, now: bool = False) -> None:
        """Give a sign of life."""
        at = time.time()
        if not now and at - self._told_at < _AT_MOST_EVERY_SECONDS:
            return
        self._told_at = at
        own = {
            "host": host(),
            "at": at,
            "state": state,
            "cores": self._capacity.cores,
            "memory_megabytes": self._capacity.memory_megabytes,
            "gpus": len(self._capacity.gpus),
        }
        try:
            write_whole(str(self._file(self.number)), orjson.dumps({**own, **facts}))
        except OSError:
            return  # a full disk, or the folder is gone: the next sign of life may do

    def all_idle(self, seconds: float) -> bool:
        """Whether no other node had anything to do for so long."""
        now = time.time()
        for fact in self._read_others():
            silent = now - fact["at"] > max(_SILENT_SECONDS, seconds)
            if fact["state"] == "ended" or silent:
                continue
            if fact["idle_since"] is None or now - fact["idle_since"] < seconds:
                return False
        return True

    def refusal(self, need: Need) -> str | None:
        """Why no node, or not as many as it needs, could run such a job; None when they can, or may."""
        if need.nodes > self.size:
            return f"it asks for {need.nodes} nodes, and an allocation has {self.size}"
        own = self._capacity.refusal(need)
        if own is None and need.nodes == 1:
            return None
        others = self._read_others()
        if len(others) < len(self._others):
            return None
        reasons = [own, *(_capacity_of(fact).refusal(need) for fact in others)]
        if reasons.count(None) >= need.nodes:
            return None
        why = next(reason for reason in reasons if reason is not None)
        if need.nodes == 1:
            return why
        enough = reasons.count(None)
        return f"{why}; it wants {need.nodes} such nodes, and {enough or 'none'} of the {self.size} would do"

    def free_for(self, need: Need) -> int:
        """How many other nodes have room for such a job, as far as they told."""
        return sum(
            has_room(fact["free"], need, knows_memory=bool(fact["memory_megabytes"]))
            and fact["state"] == "running"
            and _capacity_of(fact).refusal(need) is None
            for fact in self._read_others()
            if "free" in fact
        )

    def is_silent(self, number: int) -> bool:
        """Whether another node has ended, or gave no sign of life for long."""
        if number == self.number:
            return False
        fact = self._read(number)
        return fact is None or fact["state"] == "ended" or time.time() - fact["at"] > _SILENT_SECONDS

    def _read_others(self) -> list[dict[str, Any]]:
        return [fact for number in self._others if (fact := self._read(number)) is not None]

    def _read(self, number: int) -> dict[str, Any] | None:
        try:
            fact: dict[str, Any] = orjson.loads(self._file(number).read_bytes())
        except (OSError, ValueError):
            return None
        return fact

    def _file(self, number: int) -> Path:
        return self._run_dir / f"{LIFE_FILE}{number}.json"


def _capacity_of(fact: Mapping[str, Any]) -> Capacity:
    return Capacity(fact["cores"], fact["memory_megabytes"], ("",) * fact["gpus"])
