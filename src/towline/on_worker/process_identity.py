"""Telling a process from a later one that was given the same process id."""

import functools
import os
import sys
from pathlib import Path

#: Stands for the boot of the kernel where several machines, or containers, share one: what it starts is not seen
#: by the others.
BOOT_VARIABLE = "TOWLINE_BOOT"


def start_mark(pid: int) -> str | None:
    """A text that no other process with this id has; None when there is no such process.

    Made of the start time by the clock of the kernel, which nobody can set, and of the boot.
    """
    if sys.platform == "linux":
        fields = stat_fields(pid)
        return None if fields is None else f"{int(fields[19])}@{_boot()}"
    import psutil  # only where there is no /proc; a job that starts cold should not pay for it elsewhere

    try:
        return repr(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_running(pid: int, mark: str | None) -> bool:
    """Whether the process is still there, and not only waiting for its parent to take note of its end.

    Parameters
    ----------
    mark
        What :func:`start_mark` told about it; None when that is not known.
    """
    if sys.platform == "linux":
        fields = stat_fields(pid)
        return fields is not None and fields[0] not in (b"Z", b"X") and mark in (None, f"{int(fields[19])}@{_boot()}")
    import psutil  # see start_mark

    try:
        process = psutil.Process(pid)
        running = process.status() != psutil.STATUS_ZOMBIE
        return running and mark in (None, repr(process.create_time()))
    except psutil.Error:
        return False


def seconds_at_start(pid: int) -> float | None:
    """When a process started, on Linux in seconds since the start of the machine, elsewhere since the epoch.

    Setting the clock does not change it. None when there is no such process.
    """
    if sys.platform == "linux":
        fields = stat_fields(pid)
        return None if fields is None else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    import psutil  # see start_mark

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def stat_fields(pid: int) -> list[bytes] | None:
    """Fields of ``/proc/<pid>/stat`` from the third one (the state) on; None when there is no such process."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        content = os.read(descriptor, 4096)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    # The name of the process stands in parentheses and may contain anything.
    return content[content.rfind(b")") + 2 :].split()


def is_of_this_boot(mark: str | None) -> bool:
    """Whether a mark was made on this machine since it was started; False where marks do not tell."""
    return mark is not None and "@" in mark and mark.partition("@")[2] == _boot()


@functools.cache
def _boot() -> str:
    told = os.environ.get(BOOT_VARIABLE)
    if told is not None:
        return told
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return ""
