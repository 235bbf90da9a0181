"""Processes by pid: whether one runs, what it is, what it takes."""

from dataclasses import dataclass

import psutil

from towline.on_worker.process_identity import is_running, seconds_at_start

#: The start times that the system gives for one process differ by rounding.
_SAME_START_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process takes."""

    pid: int
    #: Seconds since the epoch.
    started_at: float
    cpu_seconds: float
    memory_bytes: int


def process_started_at(pid: int) -> float:
    """A number that tells a process from a later one with the same pid; it does not change when the clock is set.

    On Linux seconds since the start of the machine, elsewhere since the epoch.

    Raises
    ------
    psutil.NoSuchProcess
        There is no such process.
    """
    started = seconds_at_start(pid)
    if started is None:
        raise psutil.NoSuchProcess(pid)
    return started


def runs(pid: int, started_at: float | None = None) -> bool:
    """Whether the process `pid` runs, and, with `started_at`, is the one that :func:`process_started_at` told of."""
    if not is_running(pid, None):
        return False
    if started_at is None:
        return True
    started = seconds_at_start(pid)
    return started is not None and abs(started - started_at) < _SAME_START_SECONDS


def command_line(pid: int) -> list[str]:
    """The words that a process was started with; empty when they cannot be known."""
    try:
        return list(psutil.Process(pid).cmdline())
    except psutil.Error:
        return []


def is_running_program(pid: int, program: str) -> bool:
    """Whether the process `pid` names `program` in its arguments: a pid file may name a process of somebody else."""
    return any(program in word for word in command_line(pid))


def measured(pid: int) -> Usage | None:
    """What a process takes; None when it cannot be known."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return Usage(pid, process.create_time(), times.user + times.system, process.memory_info().rss)
    except psutil.Error:
        return None
