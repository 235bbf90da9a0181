"""What the pools of earlier pilots left: functions that ended and were not acknowledged, and some that still run."""

import time
from dataclasses import dataclass
from pathlib import Path

from towline.core.records import ExitRecord
from towline.on_worker.pool_journal import SUFFIX, Journal, read_journal
from towline.on_worker.process_identity import is_running

#: Ends that nobody asked for within this time are forgotten.
_LONGEST_KEEPING_SECONDS = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Leftover:
    """A function that an earlier pool was given."""

    journal: Path
    #: The process that was to run it.
    pid: int | None
    mark: str | None
    started_at: float | None
    #: None while it runs, or when its process is gone.
    exit: ExitRecord | None
    result: bytes | None

    @property
    def runs(self) -> bool:
        """Whether its process is still there."""
        return self.exit is None and self.pid is not None and is_running(self.pid, self.mark)


class Leftovers:
    """Everything in the journals of earlier pools."""

    def __init__(self, folder: Path) -> None:
        self._journals: list[Journal] = []
        oldest = time.time() - _LONGEST_KEEPING_SECONDS
        for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
            journal = read_journal(path)
            if _is_written(journal) or ((journal.ended or journal.running) and path.stat().st_mtime > oldest):
                self._journals.append(journal)
            else:
                path.unlink(missing_ok=True)

    def find(self, key: str) -> Leftover | None:
        """What is known of a function; None when no process has begun it, and none ever will."""
        for journal in self._journals:
            if key in journal.ended:
                record, result = journal.ended[key]
                return Leftover(journal.path, journal.pid, journal.mark, record.started_at, record, result)
        for journal in self._journals:
            if journal.running == key:
                return Leftover(journal.path, journal.pid, journal.mark, journal.running_since, None, None)
        return None

    def ended(self) -> dict[str, Leftover]:
        """Functions whose ends are in the journals."""
        found = {key: self.find(key) for journal in self._journals for key in journal.ended}
        return {key: leftover for key, leftover in found.items() if leftover is not None}

    def read_again(self, path: Path) -> None:
        """A process that still ran has ended: see what it wrote since."""
        self._journals = [read_journal(path) if journal.path == path else journal for journal in self._journals]

    def journals(self) -> list[tuple[Path, list[str], bool]]:
        """Each journal, the functions it tells about, and whether a process still writes into it."""
        return [(journal.path, journal.keys, _is_written(journal)) for journal in self._journals]

    def forget(self, keys: set[str]) -> None:
        """The ends of these functions are stored."""
        for journal in self._journals:
            journal.acknowledge(keys)


def _is_written(journal: Journal) -> bool:
    return journal.pid is not None and is_running(journal.pid, journal.mark)
