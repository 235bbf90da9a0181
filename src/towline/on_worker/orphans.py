"""What the keeper saw of the ends of processes whose pilot was gone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from towline.core.records import ExitRecord
from towline.on_worker.attempt_files import Started, host
from towline.on_worker.keeper import OLD_ORPHANS_FILE, ORPHANS_FILE

#: A process creates the started file within this time of its own beginning; the clocks of both are coarse.
_SAME_TIME_SECONDS = 0.03


class Orphans:
    """Ends that the keeper wrote down, as far as they were read."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._records: list[dict[str, Any]] = []
        self._position = 0
        self._inode: int | None = None
        self._taken: set[int] = set()
        self._read_file(state_dir / OLD_ORPHANS_FILE)

    def end_of(self, started: Started) -> ExitRecord | None:
        """How the process that started an attempt ended, if the keeper saw that."""
        self._read_more()
        for number in range(len(self._records) - 1, -1, -1):
            record = self._records[number]
            if number not in self._taken and _is_it(record, started):
                self._taken.add(number)
                return exit_record(record, started.at)
        return None

    def _read_more(self) -> None:
        path = self._state_dir / ORPHANS_FILE
        try:
            inode = path.stat().st_ino
        except FileNotFoundError:
            return
        if inode != self._inode:
            # The keeper began a new file; what we have not read of the old one is still there under another name.
            if self._inode is not None:
                self._read_file(self._state_dir / OLD_ORPHANS_FILE)
            self._inode, self._position = inode, 0
        self._read_file(path)

    def _read_file(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                file.seek(self._position)
                content = file.read()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._position += len(whole)
        self._records.extend(orjson.loads(line) for line in whole.splitlines())


def exit_record(record: Mapping[str, Any], started_at: float | None) -> ExitRecord:
    """The exit record of a job from what the keeper wrote."""
    code = record["code"]
    return ExitRecord(
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        reason="exited" if code >= 0 else "signal",
        started_at=started_at,
        ended_at=record["at"],
        host=host(),
        peak_memory_bytes=record["peak_memory_bytes"],
        cpu_seconds=record["cpu_seconds"],
    )


def _is_it(record: Mapping[str, Any], started: Started) -> bool:
    if started.pid is not None:
        return record["pid"] == started.pid and (started.mark is None or record["mark"] == started.mark)
    # Nobody had written the process id down. The pilot starts one program at a time, so that at most one is without.
    began_at = record["began_at"]
    leads_group = record["group"] == record["pid"]
    return leads_group and began_at is not None and abs(began_at - started.at) <= _SAME_TIME_SECONDS
