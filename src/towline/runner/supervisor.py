"""Keeps a runner running: starts it, and starts it again when it ended by itself.

A process of its own with nothing but the standard library in it, so that it is small and has no reason to end::

    python -m towline.runner.supervisor PID_FILE COMMAND...

It goes to the background, and ends when the command ends with one of the exit codes below, or on SIGTERM, which it
passes on.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

#: Exit codes of a runner that must not be started again: it was asked to stop, another one runs, the project is wrong.
FINAL_EXIT_CODES = frozenset({0, 2, 3})

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 60.0
_NAP_SECONDS = 0.02

#: A runner that lived this long is not a part of a series of crashes.
_HEALTHY_SECONDS = 30.0


def supervise(pid_file: Path, command: list[str]) -> int:
    """Run `command` until it ends for good; return its exit code."""
    stopping = False
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True
        if child is not None and child.poll() is None:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    wait_seconds = _FIRST_WAIT_SECONDS
    while True:
        started = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        if stopping:
            child.terminate()  # asked to stop while the runner was being started
        exit_code = child.wait()
        if stopping or exit_code in FINAL_EXIT_CODES:
            pid_file.unlink(missing_ok=True)
            return exit_code
        if time.monotonic() - started > _HEALTHY_SECONDS:
            wait_seconds = _FIRST_WAIT_SECONDS
        print(
            f"the runner ended with {exit_code}; starting it again in {wait_seconds:g} s", file=sys.stderr, flush=True
        )
        # A signal does not end a sleep, so it is a short one at a time.
        due = time.monotonic() + wait_seconds
        while time.monotonic() < due and not stopping:
            time.sleep(_NAP_SECONDS)
        if stopping:
            pid_file.unlink(missing_ok=True)
            return exit_code
        wait_seconds = min(_LONGEST_WAIT_SECONDS, wait_seconds * 2)


def main() -> None:
    """Supervise in the background: this process ends at once, and whoever started it has no child to wait for."""
    pid_file = Path(sys.argv[1])
    pid = os.fork()
    if pid:
        pid_file.write_text(f"{pid}\n")
        return
    os.setsid()
    sys.exit(supervise(pid_file, sys.argv[2:]))


if __name__ == "__main__":
    main()
