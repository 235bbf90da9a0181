"""One thing that is done beside everything else."""

import threading
from collections.abc import Callable


class Background:
    """Runs one call at a time in a thread of its own, which does not keep the process from ending.

    Parameters
    ----------
    ended
        Called in that thread after each call.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def start(self, call: Callable[[], None], name: str) -> None:
        """Run `call`; only when nothing is under way."""
        self._thread = threading.Thread(target=self._run, args=(call,), name=name, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise, once, what the last call raised."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def wait(self, seconds: float) -> None:
        """Wait for the end of the call that is under way."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self, call: Callable[[], None]) -> None:
        try:
            call()
        # Handed on to whoever asks.
        except BaseException as error:
            self._error = error
        finally:
            # What waits for the end must not find this thread at its last line.
            self._thread = None
            self._ended()
