"""Allocations of batch workers in tests: ended with everything they started."""

import contextlib
import os
import signal
from pathlib import Path

import psutil

from towline.testing.waiting import wait_until


def end_allocations(folder: Path) -> None:
    """Kill the processes of the allocations in a folder, which belong to a worker on a shell."""
    for process in _processes_of(folder):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not _processes_of(folder), 20, "the end of all allocations")


def pilots_of(folder: Path) -> list[int]:
    """Process ids of the pilots that run in the allocations of a folder."""
    return [process.pid for process in _processes_of(folder) if "towline.on_worker.batch.pilot" in _line(process)]


def kill(pid: int) -> None:
    """End a process at once."""
    os.kill(pid, signal.SIGKILL)


def _processes_of(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            mark = f"{folder}/"
            inside = mark in _line(process) or mark in process.environ().get("TOWLINE_RUN_DIR", "")
            batch = process.environ().get("TOWLINE_BATCH", "").rpartition(".")[0]
            if (inside or (batch and (folder / batch).is_dir())) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
