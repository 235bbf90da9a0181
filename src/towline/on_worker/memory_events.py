"""Whether the system killed a process for want of memory: Linux counts such kills, per group of processes or in all.

The count alone does not say which process it was. A process that was killed without a word, held a good part of the
memory, and with whose end the count rose, is taken for it; everything else stays unexplained.
"""

import contextlib
import os
from pathlib import Path

#: Part of the memory that a process must have held.
_SHARE = 0.05


class KillCounter:
    """Counts the kills for want of memory that nobody has been told of yet."""

    def __init__(self, group: Path | None = None, system: Path = Path("/proc/vmstat")) -> None:
        self._group = _own_group() if group is None else group
        self._system = system
        self._told = self._count()

    def took(self, peak_memory_bytes: int) -> bool:
        """Whether a process that was killed just now, with this peak, was killed for want of memory."""
        limit_bytes = self._limit_bytes()
        if limit_bytes is None or peak_memory_bytes < _SHARE * limit_bytes or self._count() <= self._told:
            return False
        # One of them is explained; another process that ended at the same moment may be the next.
        self._told += 1
        return True

    def _count(self) -> int:
        # Of the second and the first version of the control groups, then of the whole machine.
        for path in (self._group / "memory.events", self._group / "memory.oom_control", self._system):
            found = _value(path, "oom_kill")
            if found is not None:
                return found
        return 0

    def _limit_bytes(self) -> int | None:
        limits = []
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                limits.append(int((self._group / name).read_text()))  # "max" is none
        with contextlib.suppress(OSError, ValueError):
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        # A group without a limit has an absurdly large one in the first version.
        return min(limits, default=None)


def _own_group() -> Path:
    """The folder of the group of this process that counts memory, in either version of the control groups."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return Path("/nonexistent")
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if "memory" in controllers.split(","):
            return Path("/sys/fs/cgroup/memory", name.lstrip("/"))
    name = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    return Path("/sys/fs/cgroup", name.lstrip("/"))


def _value(path: Path, key: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    values = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(values[key]) if key in values else None
