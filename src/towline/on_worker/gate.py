"""The gate of a state folder: one pilot at a time, and none while a child of the last one may still begin."""

import fcntl
import os
import time
from pathlib import Path

from towline.errors import WorkerError

_LOOK_AGAIN_SECONDS = 0.01


class Gate:
    """A lock that forked children share until they have claimed their attempts.

    When a new pilot has it, no process of an older pilot can begin an attempt any more: what is not started then is
    certain not to be.

    Raises
    ------
    WorkerError
        Somebody else holds it for too long.
    """

    def __init__(self, path: Path, patience_seconds: float = 20.0) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience_seconds
        while not self._locked():
            if time.monotonic() > deadline:
                raise WorkerError(f"another process holds {path}; find it with `fuser {path}`")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def close(self) -> None:
        """Let go of it in this process; it stays closed for others while another process has it."""
        os.close(self._descriptor)

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
