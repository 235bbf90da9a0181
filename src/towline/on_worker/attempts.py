"""What the pilot knows of each attempt, and the order in which attempts start."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from towline.core.records import ExitRecord
from towline.on_worker.command import Command
from towline.on_worker.timers import Timer


class Mode(str, Enum):
    """How an attempt is run."""

    FORK = "fork"  #: in a forked child of the pilot
    COLD = "cold"  #: in a new Python
    SCRIPT = "script"  #: by bash, from the script in the run folder
    COMMAND = "command"  #: the program that the payload names, directly
    POOL = "pool"  #: in a process that runs many, without a run folder


class State(str, Enum):
    """How far the pilot has come with an attempt."""

    QUEUED = "queued"  #: waits for a slot
    RUNNING = "running"  #: a child of this pilot runs it
    WATCHED = "watched"  #: runs, but is no child of this pilot
    ENDING = "ending"  #: its process has ended; leftovers are being ended, or outputs collected
    ENDED = "ended"  #: told, and kept until it is acknowledged


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt of one job. Changes as it goes on."""

    key: str
    run_dir: str
    mode: Mode
    payload_kind: str
    job_id: int = 0
    priority: int = 0
    export: Mapping[str, str] = field(default_factory=dict)
    time_limit_seconds: float | None = None
    #: Processors that it is bound to; empty for all.
    processors: tuple[int, ...] = ()
    #: Files for standard output and error, relative to the run folder.
    output: str = ""
    error: str = ""
    #: Content of the job file, until the attempt starts.
    package: bytes | None = None
    #: What was read from it.
    command: Command | None = None

    state: State = State.QUEUED
    pid: int | None = None
    #: ``<process id>@<machine>`` of one that was started on another machine, and of which nothing else is known.
    elsewhere: str | None = None
    #: Seconds since the epoch.
    started_at: float | None = None
    #: `cancelled`, `timeout` or `interrupted` as soon as we begin to end it.
    stop_reason: str | None = None
    #: Why, when the reason does not say it all.
    stop_message: str | None = None
    #: Whether the runner waits for the confirmation that nothing of it is left.
    cancel_asked: bool = False
    exit: ExitRecord | None = None
    result: bytes | None = None
    time_limit: Timer | None = None

    @property
    def pooled(self) -> bool:
        """Whether it needs no run folder."""
        return self.mode is Mode.POOL

    @property
    def is_command(self) -> bool:
        """Whether its outputs are collected after its end."""
        return self.payload_kind == "command"

    @classmethod
    def from_message(cls, item: Mapping[str, Any], package: bytes | None) -> "Attempt":
        """The attempt that a message of the runner describes; see :mod:`towline.on_worker.messages`."""
        return cls(
            key=item["key"],
            run_dir=item["run_dir"],
            mode=Mode(item["mode"]),
            payload_kind=item["payload_kind"],
            job_id=item["job_id"],
            priority=item["priority"],
            export=item.get("export") or {},
            time_limit_seconds=item.get("time_limit_seconds"),
            processors=tuple(item.get("processors") or ()),
            output=item.get("output", ""),
            error=item.get("error", ""),
            package=package,
        )


class AttemptQueue:
    """Attempts that wait for a slot: high priority first, then the oldest job."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str]] = []
        self._waiting: dict[str, Attempt] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, attempt: Attempt) -> None:
        """Let an attempt wait."""
        attempt.state = State.QUEUED
        self._waiting[attempt.key] = attempt
        heapq.heappush(self._heap, (-attempt.priority, attempt.job_id, attempt.key))

    def first(self) -> Attempt | None:
        """The attempt that starts next."""
        while self._heap:
            attempt = self._waiting.get(self._heap[0][2])
            if attempt is not None:
                return attempt
            heapq.heappop(self._heap)
        return None

    def remove(self, attempt: Attempt) -> None:
        """Take an attempt out, if it waits."""
        self._waiting.pop(attempt.key, None)
        if self._heap and self._heap[0][2] == attempt.key:
            heapq.heappop(self._heap)
