"""The process that keeps the runner of a project running on this machine: starting, finding and ending it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from towline.configuration.model import Project
from towline.operations.processes import command_line, is_running_program, runs

_END_SECONDS = 30.0
_NAP_SECONDS = 0.02


def start_supervisor(project: Project, log_level: str | None) -> None:
    """Start a supervisor in the background, which starts the runner."""
    project.daemon_dir.mkdir(parents=True, exist_ok=True)
    project.log_dir.mkdir(parents=True, exist_ok=True)
    runner = [sys.executable, "-m", "towline.operations.runner_process", "--project", project.name]
    runner += [] if log_level is None else ["--log-level", log_level]
    with start_log(project).open("ab") as log:
        subprocess.run(
            # -S: the supervisor needs no packages, only the path to its own file.
            [sys.executable, "-S", _supervisor_program(), str(_supervisor_pid_file(project)), *runner],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            check=True,
        )


def _supervisor_program() -> str:
    return str(Path(__file__).parent.parent / "runner" / "supervisor.py")


def end_supervisor(project: Project, number: int = signal.SIGTERM) -> bool:
    """End a supervisor that has no runner, so that it does not start one beside ours; False when there was none."""
    pid = supervisor_pid(project)
    if pid is not None:
        os.kill(pid, number)
        deadline = time.monotonic() + _END_SECONDS
        while runs(pid) and time.monotonic() < deadline:
            time.sleep(_NAP_SECONDS)
    _supervisor_pid_file(project).unlink(missing_ok=True)
    return pid is not None


def supervisor_pid(project: Project) -> int | None:
    """The supervisor of this machine, if it runs."""
    try:
        pid = int(_supervisor_pid_file(project).read_text())
    except (OSError, ValueError):
        return None
    return pid if runs(pid) and is_running_program(pid, _supervisor_program()) else None


def _supervisor_pid_file(project: Project) -> Path:
    return project.daemon_dir / "supervisor.pid"


def log_level_of(project: Project) -> str | None:
    """What the present runner was told about logging, from the command line of its supervisor."""
    pid = supervisor_pid(project)
    words = [] if pid is None else command_line(pid)
    return words[words.index("--log-level") + 1] if "--log-level" in words[:-1] else None


def start_log(project: Project) -> Path:
    """What the supervisor and its runner print."""
    return project.log_dir / "runner_start.log"
