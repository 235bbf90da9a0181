"""Attempts of a pilot in an allocation: whatever ends the allocation ends them too, and that is not their fault."""

import os
import signal
import time
from dataclasses import replace

from towline.core.records import ExitRecord
from towline.on_worker import endings
from towline.on_worker.attempt_files import BATCH_VARIABLE, read_started
from towline.on_worker.attempts import Attempt, State
from towline.on_worker.dispatch import Dispatch

#: How long the end of a job by a signal waits for a sign that the whole allocation is being ended: a scheduler sends
#: its signal to everybody at about the same time.
_DOUBT_SECONDS = 3.0

#: How often, and with what pauses, a started file without a word in it is read again.
_MAKER_LOOKS, _MAKER_SECONDS = 10, 0.05

_ENDING_SIGNALS = frozenset({signal.SIGTERM, signal.SIGKILL})
#: How a shell tells them.
_ENDING_CODES = frozenset(128 + number for number in _ENDING_SIGNALS)


class BatchDispatch(Dispatch):
    """The attempts that a pilot of an allocation runs; it is handed those only for which there is room.

    Besides what other pilots tell, it tells `dropped` of an attempt that another pilot runs, or that is never to run.
    """

    #: Why everything is being ended; None while nothing is.
    interruption: str | None = None

    def interrupt(self, message: str) -> None:
        """End every attempt, politely at first; they end with the reason `interrupted`, or are `returned`."""
        self.interruption = message
        for attempt in list(self._active.values()):
            if attempt.state is State.QUEUED:
                self._let_go(attempt, "returned")
            elif attempt.stop_reason is None:
                attempt.stop_message = message
                self._stop(attempt, "interrupted")

    def _adopt(self, attempt: Attempt) -> bool:
        started = read_started(attempt.run_dir)
        looks = _MAKER_LOOKS
        while started is not None and started.pid is None and not started.never and looks:
            # Whoever made the file may be about to write into it, perhaps on another machine.
            time.sleep(_MAKER_SECONDS)
            looks -= 1
            started = read_started(attempt.run_dir)
        # Nothing can be said here about processes of other pilots, which may be on other machines.
        if started is not None and (started.never or started.batch not in (None, os.environ[BATCH_VARIABLE])):
            self._let_go(attempt, "dropped")
            return True
        return super()._adopt(attempt)

    def _let_go(self, attempt: Attempt, event: str) -> None:
        self._active.pop(attempt.key, None)
        self._queue.remove(attempt)
        self._tell(attempt.key, event)

    def _process_ended(self, attempt: Attempt, child: endings.EndedChild) -> None:
        if not _by_signal(child) or attempt.stop_reason is not None:
            super()._process_ended(attempt, child)
            return
        # Its process id is free from here on.
        child = child._replace(usage=endings.reap(child))
        attempt.state = State.ENDING
        self._timers.after(0.0 if self.interruption else _DOUBT_SECONDS, lambda: self._settle_doubt(attempt, child))

    def _settle_doubt(self, attempt: Attempt, child: endings.EndedChild) -> None:
        self._decide(attempt)
        super()._process_ended(attempt, child)

    def _finish_adopted(self, attempt: Attempt, record: ExitRecord) -> None:
        """As :meth:`_process_ended`: the signal may have ended the process that forks jobs too."""
        if not _by_signal(record) or attempt.stop_reason is not None:
            super()._finish_adopted(attempt, record)
            return
        attempt.state = State.ENDING
        self._timers.after(0.0 if self.interruption else _DOUBT_SECONDS, lambda: self._settle_adopted(attempt, record))

    def _settle_adopted(self, attempt: Attempt, record: ExitRecord) -> None:
        self._decide(attempt)
        if attempt.stop_reason is not None:
            record = replace(record, reason=attempt.stop_reason, message=endings.stop_message(attempt))
        super()._finish_adopted(attempt, record)

    def _decide(self, attempt: Attempt) -> None:
        """What ended by a signal while everything is being ended was interrupted."""
        if self.interruption is not None and attempt.stop_reason is None:
            attempt.stop_reason, attempt.stop_message = "interrupted", self.interruption


def _by_signal(end: endings.EndedChild | ExitRecord) -> bool:
    return end.signal in _ENDING_SIGNALS or end.exit_code in _ENDING_CODES
