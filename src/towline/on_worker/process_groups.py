"""Ending all processes of a job, those that detached themselves included."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from towline.on_worker.isolation import RUN_DIR_VARIABLE


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False when nobody is left in it."""
    try:
        os.killpg(group, number)
    # macOS refuses when only a process that has already ended is left.
    except (ProcessLookupError, PermissionError):
        return False
    return True


def signal_each(pids: Iterable[int], number: int) -> None:
    """Send a signal to processes, those that are gone excepted."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def members(pid: int | None, run_dir: str) -> set[int]:
    """Processes that belong to a job: descendants of its process, and whatever carries its run folder's name."""
    found = set(_marked(run_dir)) if run_dir else set()
    if pid is not None:
        with contextlib.suppress(psutil.Error):
            found.update(child.pid for child in psutil.Process(pid).children(recursive=True))
        found.add(pid)
    found.discard(os.getpid())
    return found


def end_leftovers(run_dir: str) -> bool:
    """Kill processes of a job that are no members of its group; return whether there were any."""
    found = members(None, run_dir)
    signal_each(found, signal.SIGKILL)
    return bool(found)


def _marked(run_dir: str) -> Iterator[int]:
    mark = f"{RUN_DIR_VARIABLE}={run_dir}".encode()
    if sys.platform == "linux":
        for entry in os.scandir("/proc"):
            if entry.name.isdecimal() and mark in _environment(entry.path):
                yield int(entry.name)
        return
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_DIR_VARIABLE) == run_dir:
                yield process.pid
        except psutil.Error:
            continue


def _environment(folder: str) -> list[bytes]:
    try:
        return Path(folder, "environ").read_bytes().split(b"\0")
    # Of somebody else, or gone.
    except OSError:
        return []


def in_group(pid: int, group: int) -> bool:
    """Whether a process exists and is in this group."""
    try:
        return os.getpgid(pid) == group
    except ProcessLookupError:
        return False
