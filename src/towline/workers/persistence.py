"""Going on after a connection was cut."""

import time
from collections.abc import Callable
from typing import TypeVar

from towline.errors import ConnectionFailed, OutcomeUnknown, WorkerError

_Answer = TypeVar("_Answer")

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 15.0

#: Told why it is tried again, and after how many seconds.
Interrupted = Callable[[WorkerError, float], None]


def persist(
    action: Callable[[], _Answer], *, patience_seconds: float, interrupted: Interrupted | None = None
) -> _Answer:
    """What `action` returns; it is repeated while the connection fails in a way that passes.

    Parameters
    ----------
    action
        Harmless to repeat; goes on where it was cut.
    patience_seconds
        How long to try without success before the error is raised.
    """
    deadline = time.monotonic() + patience_seconds
    pause_seconds = _FIRST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        try:
            return action()
        except (ConnectionFailed, OutcomeUnknown) as error:
            now = time.monotonic()
            # What went on for a while before it was cut has brought something over.
            if now - began > pause_seconds + 1.0:
                deadline, pause_seconds = now + patience_seconds, _FIRST_PAUSE_SECONDS
            at_least = error.retry_after_seconds if isinstance(error, ConnectionFailed) else 0.0
            if not error.transient or now + max(pause_seconds, at_least) > deadline:
                raise
            if interrupted is not None:
                interrupted(error, max(pause_seconds, at_least))
            time.sleep(max(pause_seconds, at_least))
            pause_seconds = min(_LONGEST_PAUSE_SECONDS, 2 * pause_seconds)
