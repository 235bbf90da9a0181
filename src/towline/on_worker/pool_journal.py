"""What a process of the pool writes down, so that a function runs once even if the pilot is killed in the middle.

A journal is a file that is only appended to, in the form of :mod:`towline.on_worker.framing`:

``{"child": pid, "mark": ...}``  first
``{"begin": key, "at": ...}``    before a function; only then does the process look whether the pilot is still there
``{"back": key}``                it is not: the function was not run, and never will be by this process
``{"end": key, ...}`` + result   after the function
``{"died": key, "exit": ...}``   written by the pilot: the process ended in the middle of the function
``{"acknowledged": [key, ...]}`` written by the pilot
"""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towline.core.records import ExitRecord
from towline.on_worker.attempt_files import host
from towline.on_worker.framing import Decoder, encode

SUFFIX = ".journal"


@dataclass(slots=True)
class Journal:
    """What a journal says."""

    path: Path
    pid: int | None = None
    mark: str | None = None
    #: The function that was begun and has not ended, and when.
    running: str | None = None
    running_since: float | None = None
    #: ``{key: (exit record, result)}`` of functions that ended and are not acknowledged.
    ended: dict[str, tuple[ExitRecord, bytes | None]] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """Functions that it tells about."""
        return [*self.ended, *([] if self.running is None else [self.running])]

    def acknowledge(self, keys: set[str]) -> None:
        """Forget functions whose ends are stored."""
        for key in keys & self.ended.keys():
            del self.ended[key]
        if self.running in keys:
            self.running = None

    def add(self, header: dict[str, Any], attachments: list[bytes]) -> None:
        """Take note of one entry."""
        if "begin" in header:
            self.running, self.running_since = header["begin"], header["at"]
        elif "end" in header:
            self.running = None
            self.ended[header["end"]] = (exit_record(header), attachments[0])
        elif "died" in header:
            self.running = None
            self.ended[header["died"]] = (ExitRecord(**header["exit"]), None)
        elif "back" in header:
            self.running = None
        elif "acknowledged" in header:
            self.acknowledge(set(header["acknowledged"]))
        elif "child" in header:
            self.pid, self.mark = header["child"], header["mark"]


def read_journal(path: Path) -> Journal:
    """Read a journal; an entry that was not written to its end is left out."""
    journal = Journal(path)
    decoder = Decoder()
    # What comes after something unreadable (a full disk) cannot be told apart any more.
    with contextlib.suppress(FileNotFoundError, ValueError):
        for header, attachments in decoder.messages(path.read_bytes()):
            journal.add(header, attachments)
    return journal


def append(path: str | Path, entry: dict[str, Any]) -> None:
    """Add one entry to a journal."""
    descriptor = open_to_append(path)
    try:
        os.write(descriptor, encode(entry))
    finally:
        os.close(descriptor)


def open_to_append(path: str | Path) -> int:
    """A descriptor whose writes go to the end of the file, whoever else writes into it."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def exit_record(entry: dict[str, Any]) -> ExitRecord:
    """The exit record of a function that came back."""
    return ExitRecord(
        exit_code=0,
        signal=None,
        reason="exited",
        started_at=entry["began"],
        ended_at=entry["at"],
        host=host(),
        cpu_seconds=entry["cpu_seconds"],
    )
