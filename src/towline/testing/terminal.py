"""A user at a terminal: `tow` as a program, in a home of its own, with a runner and jobs that really run."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import psutil

from towline.testing.waiting import wait_until

TOW = Path(sys.executable).with_name("tow")


class Terminal:
    """A shell in which somebody types.

    Parameters
    ----------
    home
        The towline home; the present folder is beside it, in `here`.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.here = home.parent / "here"
        home.mkdir(parents=True, exist_ok=True)
        self.here.mkdir(exist_ok=True)
        self.environment = {**os.environ, "TOWLINE_HOME": str(home), "COLUMNS": "200"}

    def __call__(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """Type a command; it has to end with this exit code."""
        done = subprocess.run(
            [TOW, *arguments],
            cwd=self.here,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=240,
        )
        assert done.returncode == code, f"tow {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        return orjson.loads(self(*arguments, "--json").stdout)

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Type a command and do not wait for its end."""
        return subprocess.Popen(
            [TOW, *arguments],
            cwd=self.here,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def state(self, db_id: str) -> str:
        """State of a job."""
        return str(self.json("job", "info", db_id)["state"])

    def wait_for_state(self, db_id: str, state: str) -> None:
        """Wait until a job is in a state."""
        wait_until(lambda: self.state(db_id) == state, 120, f"{state} of job {db_id}")

    def leave(self) -> None:
        """Stop all jobs, the runner and what it left running."""
        for job in self.json("job", "list", "--running"):
            self("job", "stop", job["db_id"])
        for project in self.home.glob("*/daemon/supervisor.pid"):
            self("--project", project.parent.parent.name, "runner", "stop", code=0)
        # The keeper first, which would start a pilot again.
        for name in ("keeper.lock", "pilot.lock"):
            for file in self.home.rglob(name):
                text = file.read_text().strip()
                if text:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        psutil.Process(int(text)).send_signal(signal.SIGKILL)


@contextlib.contextmanager
def terminal(home: Path, files: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """A terminal, left in the end.

    Parameters
    ----------
    files
        Project files, by their names in the towline home.
    """
    opened = Terminal(home)
    for name, text in (files or {}).items():
        (home / name).write_text(text)
    try:
        yield opened
    finally:
        opened.leave()
