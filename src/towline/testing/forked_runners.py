"""Runners that begin in milliseconds, for tests that end hundreds of them.

They are forked from a process that has everything imported, so that a runner which lives for a fraction of a second
spends it on its work.
"""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

#: What a runner imports when it begins to work, beside its own module.
_IMPORTED = ("towline.store.postgresql_dialect", "towline.workers.local", "towline.jobflow.payload")


class ForkedRunners:
    """Runners of the default project, one after the other.

    Parameters
    ----------
    log
        Where they print to.
    """

    def __init__(self, log: Path) -> None:
        with log.open("ab") as file:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The end of its input ends the parent.
        self._parent.communicate(timeout=30)

    def start(self) -> psutil.Process:
        """The next runner; gone from the table of processes as soon as it has ended."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write("\n")
        self._parent.stdin.flush()
        return psutil.Process(int(self._parent.stdout.readline()))


def main() -> None:
    """Fork a runner for each line of the input."""
    from towline.operations.runner_process import main as run

    for module in _IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    # Nobody waits for the runners.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        process = os.fork()
        if process == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            os._exit(run([]))
        print(process, flush=True)


if __name__ == "__main__":
    main()
