"""What the thread of a remote worker and its caller share: the flights, and what is to be told about them."""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Sequence

from towline.core.records import ExitRecord, Failure, Observation
from towline.workers.remote.flights import Flight, Phase

#: An end that was not acknowledged is told again after this time.
_TELL_AGAIN_SECONDS = 10.0
_REMINDER_SECONDS = 2.0


class Board:
    """Flights and observations. Whoever changes a flight holds :attr:`changed`."""

    def __init__(self) -> None:
        #: Guards everything here; notified when there is something to do.
        self.changed = threading.Condition()
        self.flights: dict[str, Flight] = {}
        self._observations: deque[Observation] = deque()
        self._closed = False
        self._next_reminder = 0.0
        self._readable, self._writable = os.pipe()
        for descriptor in (self._readable, self._writable):
            os.set_blocking(descriptor, False)

    def fileno(self) -> int:
        """Descriptor that is readable when there is something to tell."""
        return self._readable

    def tell(
        self,
        flight: Flight,
        event: str,
        at: float | None = None,
        *,
        failure: Failure | None = None,
        may_retry: bool = True,
    ) -> None:
        """Tell something about a flight; it goes away when that ends it."""
        process_id = flight.queue_id if event in ("submitted", "started") else None
        moment = time.time() if at is None else at
        self._put(Observation(flight.key, event, moment, process_id, failure=failure, may_retry=may_retry))
        if event in ("returned", "step_failed", "cancelled") and flight.phase is not Phase.ENDED:
            self.flights.pop(flight.key, None)

    def end(
        self, flight: Flight, record: ExitRecord, result: bytes | None, tail: str, output_tail: str | None = None
    ) -> None:
        """Tell the end of a flight, and its start if that was not told."""
        if not flight.started_told and record.started_at is not None:
            flight.started_told = True
            self.tell(flight, "started", record.started_at)
        flight.phase, flight.package, flight.prepared = Phase.ENDED, None, None
        flight.told = Observation(
            flight.key, "ended", record.ended_at, exit=record, result=result, tail=tail, output_tail=output_tail
        )
        flight.told_at = time.monotonic()
        self._put(flight.told)
        if flight.cancel:
            self.tell(flight, "cancelled")

    def tell_end_again(self, flight: Flight) -> None:
        """Tell the end once more."""
        if flight.told is not None:
            flight.told_at = time.monotonic()
            self._put(flight.told)

    def take(self) -> Sequence[Observation]:
        """Everything that is to be told."""
        with self.changed:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._readable, 4096):
                    pass
            self._tell_overdue(time.monotonic())
            told = list(self._observations)
            self._observations.clear()
        return told

    def _tell_overdue(self, now: float) -> None:
        # The runner asks very often, and there may be many flights.
        if now < self._next_reminder:
            return
        self._next_reminder = now + _REMINDER_SECONDS
        for flight in self.flights.values():
            if flight.told is not None and flight.told_at < now - _TELL_AGAIN_SECONDS:
                self.tell_end_again(flight)

    def has_unacknowledged(self) -> bool:
        """Whether an end may have to be told again."""
        with self.changed:
            return any(flight.told is not None for flight in self.flights.values())

    def close(self) -> None:
        """Give the descriptors back."""
        with self.changed:
            for descriptor in (self._readable, self._writable):
                if not self._closed:
                    os.close(descriptor)
            self._closed = True

    def _put(self, observation: Observation) -> None:
        self._observations.append(observation)
        if self._closed:
            return
        with contextlib.suppress(BlockingIOError):
            os.write(self._writable, b"x")
