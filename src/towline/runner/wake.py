"""Waking the runner of a project from another process on the same machine.

A named pipe in the folder of the project: whoever changed the queue writes a byte into it. Nobody waits when there is
no runner, and a runner that missed a byte (a project on a shared disk, written by another machine) still looks at
the database once a second.
"""

import contextlib
import os
from pathlib import Path

PIPE_NAME = "wake"


def wake(folder: Path) -> None:
    """Wake the runner that listens in `folder`, if there is one."""
    # No pipe, no reader, or a full pipe: nobody to wake, or awake already.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / PIPE_NAME, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, b"w")
        finally:
            os.close(descriptor)


class Alarm:
    """The runner's end of the pipe."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / PIPE_NAME
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Open for writing too: without any writer the pipe would be readable (end of file) all the time.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def fileno(self) -> int:
        """Readable when somebody called :func:`wake`."""
        return self._descriptor

    def clear(self) -> None:
        """Forget the calls so far."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._descriptor, 4096)) == 4096:
                pass

    def close(self) -> None:
        """Stop listening."""
        os.close(self._descriptor)
