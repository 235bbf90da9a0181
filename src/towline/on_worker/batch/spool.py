"""The spool of a batch worker: a folder that its runner and its pilots share, with a file for each job that waits.

``new/``
    Entries that no pilot has. The name of an entry says what a pilot has to know before it takes the job.
``claimed/<pilot>/``
    Entries that a pilot has taken, by rename, so that only one can; they go when the job has ended.
``stop/<mark>``
    The job with this mark has to end.
``unfit/``
    Entries that no node of the allocation could ever run; their content is the reason.

An entry that is there twice, or once too often, does no harm: the run folder of a job is claimed once for all time by
whoever creates its started file.
"""

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

NEW, CLAIMED, STOP, UNFIT = "new", "claimed", "stop", "unfit"

#: In the run folder: the name of the entry on the first line, its content on the second one.
ENTRY_FILE = "towline_entry"

#: Priorities beyond this are cut.
_LARGEST_PRIORITY = 10**11

_NAME = re.compile(r"(\d{12})\.(\d{12})\.c(\d+)m(\d+)g(\d+)t(\d+)(?:n(\d+))?\.([A-Za-z0-9.]+)\Z")


@dataclass(frozen=True, slots=True)
class Need:
    """What a job takes while it runs: on its node, or on each of its nodes."""

    cores: int = 1
    memory_megabytes: int = 0
    gpus: int = 0
    #: After this time it is ended; 0 when it has no limit.
    seconds: int = 0
    nodes: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A job in the spool, by its name there. Names sort by priority, then by age."""

    name: str
    need: Need
    mark: str

    @classmethod
    def of(cls, mark: str, *, priority: int, job_id: int, need: Need) -> "Entry":
        """The entry of a job."""
        rank = _LARGEST_PRIORITY - max(-_LARGEST_PRIORITY, min(_LARGEST_PRIORITY, priority))
        what = f"c{need.cores}m{need.memory_megabytes}g{need.gpus}t{need.seconds}"
        what += f"n{need.nodes}" if need.nodes > 1 else ""
        return cls(f"{rank:012d}.{job_id:012d}.{what}.{mark}", need, mark)

    @classmethod
    def read(cls, name: str) -> "Entry | None":
        """The entry of this name; None for something else."""
        match = _NAME.match(name)
        if match is None:
            return None
        return cls(name, Need(*(int(number or 1) for number in match.groups()[2:7])), match[8])


class Spool:
    """A pilot's view of the spool.

    Parameters
    ----------
    folder
        The spool.
    pilot
        Name of the pilot, which no other one has.
    """

    def __init__(self, folder: str, pilot: str) -> None:
        self._folder = folder
        self._mine = f"{folder}/{CLAIMED}/{pilot}"
        for path in (self._path(NEW), self._mine, self._path(STOP), self._path(UNFIT)):
            os.makedirs(path, exist_ok=True)  # noqa: PTH103 - text everywhere: a Path for each job costs more than it

    def waiting(self) -> list[str]:
        """Names of the entries that nobody has, the first one first."""
        return sorted(_listed(self._path(NEW)))

    def claim(self, entry: Entry) -> dict[str, Any] | None:
        """Take an entry; return what it says, or None when somebody else was first."""
        mine = f"{self._mine}/{entry.name}"
        try:
            os.rename(f"{self._path(NEW)}/{entry.name}", mine)  # noqa: PTH104
        except FileNotFoundError:
            # On a network file system the answer to a rename may be lost, and it is then told that there is no file.
            if not os.path.exists(mine):  # noqa: PTH110
                return None
        return self._read(entry.name)

    def claimed(self) -> list[tuple[Entry, dict[str, Any]]]:
        """What this pilot has, after it was started again."""
        entries = [entry for name in sorted(_listed(self._mine)) if (entry := Entry.read(name)) is not None]
        return [(entry, content) for entry in entries if (content := self._read(entry.name)) is not None]

    def put_back(self, entry: Entry) -> None:
        """Let another pilot take it."""
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{self._mine}/{entry.name}", f"{self._path(NEW)}/{entry.name}")  # noqa: PTH104

    def forget(self, entry: Entry) -> None:
        """Its job has ended, or somebody else runs it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._mine}/{entry.name}")  # noqa: PTH108

    def set_aside(self, entry: Entry, reason: str) -> None:
        """Nobody can ever run it."""
        path = f"{self._path(UNFIT)}/{entry.name}"
        try:
            os.rename(f"{self._path(NEW)}/{entry.name}", path)  # noqa: PTH104
        except FileNotFoundError:
            return
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(reason)

    def to_stop(self) -> set[str]:
        """Marks of jobs that have to end."""
        return set(_listed(self._path(STOP)))

    def stopped(self, mark: str) -> None:
        """The job with this mark has ended."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._path(STOP)}/{mark}")  # noqa: PTH108

    def leave(self) -> None:
        """This pilot takes nothing any more."""
        with contextlib.suppress(OSError):
            os.rmdir(self._mine)  # noqa: PTH106

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            with open(f"{self._mine}/{name}", "rb") as file:  # noqa: PTH123
                content: dict[str, Any] = orjson.loads(file.read())
        except (OSError, ValueError):
            return None
        return content


def _listed(folder: str) -> Iterable[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return ()
