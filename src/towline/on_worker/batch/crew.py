"""The pilots of the nodes of one allocation, as they know of each other: a small file each, in its folder."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from towline.on_worker.attempt_files import host, write_whole
from towline.on_worker.batch.room import Capacity
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
        self._own = settings.node
        self._others = [number for number in range(len(settings.cores)) if number != settings.node]
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
            write_whole(str(self._file(self._own)), orjson.dumps({**own, **facts}))
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
        """Why no node could run such a job; None when one can, or may."""
        own = self._capacity.refusal(need)
        if own is None:
            return None
        others = self._read_others()
        if len(others) < len(self._others):
            return None
        for fact in others:
            there = Capacity(fact["cores"], fact["memory_megabytes"], ("",) * fact["gpus"])
            if there.refusal(need) is None:
                return None
        return own

    def _read_others(self) -> list[dict[str, Any]]:
        found = []
        for number in self._others:
            try:
                found.append(orjson.loads(self._file(number).read_bytes()))
            except (OSError, ValueError):
                continue
        return found

    def _file(self, number: int) -> Path:
        return self._run_dir / f"{LIFE_FILE}{number}.json"
