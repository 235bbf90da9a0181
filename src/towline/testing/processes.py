"""Ending what outlives a test's own processes: supervisors with their runners, keepers and pilots."""

import contextlib
import signal
from pathlib import Path

import psutil

from towline.testing.waiting import wait_until

#: Files that hold the process id of somebody who lives on, in the order in which they are to be ended.
_LIVING = (("supervisor.pid", signal.SIGTERM), ("keeper.lock", signal.SIGKILL), ("pilot.lock", signal.SIGKILL))


def end_workers(folder: Path) -> None:
    """End every process of towline that keeps its files below `folder`."""
    for name, number in _LIVING:
        for file in folder.rglob(name):
            with contextlib.suppress(ValueError, psutil.NoSuchProcess, FileNotFoundError):
                _end(int(file.read_text()), number, str(file.parent))


def _end(pid: int, number: signal.Signals, about: str) -> None:
    """End a process, if it is still the one that has `about` in its command line."""
    process = psutil.Process(pid)
    if about not in " ".join(process.cmdline()):
        return
    process.send_signal(number)
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, what=f"the end of {pid}")
