"""Allocations of batch workers in tests: ended with everything they started."""

import contextlib
from pathlib import Path

import psutil

from towline.testing.waiting import wait_until

_PILOT = "towline.on_worker.batch.pilot"


def end_allocations(folder: Path) -> None:
    """Kill the processes of the allocations in a folder, which belong to a worker on a shell."""
    for process in allocation_processes(folder):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not allocation_processes(folder), 20, "the end of all allocations")


def pilots_of(folder: Path) -> list[int]:
    """Process ids of the pilots that run in the allocations of a folder, those that they forked left aside."""
    found = [process for process in allocation_processes(folder) if _PILOT in _line(process)]
    return [process.pid for process in found if _PILOT not in _line_of_parent(process)]


def allocation_processes(folder: Path) -> list[psutil.Process]:
    """Everything that belongs to the allocations in a folder, jobs included."""
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


def _line_of_parent(process: psutil.Process) -> str:
    try:
        parent = process.parent()
    except psutil.Error:
        return ""
    return "" if parent is None else _line(parent)
