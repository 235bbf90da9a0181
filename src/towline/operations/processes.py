"""Processes by pid: whether one runs, and whether it is the same one."""

import os
import sys
from pathlib import Path

import psutil

#: The start times that the system gives for one process differ by rounding.
_SAME_START_SECONDS = 1.0


def process_started_at(pid: int) -> float:
    """A number that tells a process from a later one with the same pid; it does not change when the clock is set.

    On Linux seconds since the start of the machine, elsewhere since the epoch.

    Raises
    ------
    psutil.NoSuchProcess
        There is no such process.
    """
    if sys.platform != "linux":
        return float(psutil.Process(pid).create_time())
    try:
        content = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    # The name of the program, in parentheses, may contain anything; field 22 is the 20th after it.
    return int(content.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


def runs(pid: int, started_at: float | None = None) -> bool:
    """Whether the process `pid` runs, and, with `started_at`, is the one that :func:`process_started_at` told of."""
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return False
        return started_at is None or abs(process_started_at(pid) - started_at) < _SAME_START_SECONDS
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def is_running_program(pid: int, program: str) -> bool:
    """Whether the process `pid` has `program` among its arguments: a pid file may name a process of somebody else."""
    try:
        return program in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
