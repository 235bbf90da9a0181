"""What the evidence of a look means for each flight: has it started, has it ended, and how."""

import time
from collections.abc import Mapping, Sequence

from towline.workers.remote.board import Board
from towline.workers.remote.endings import cancelled_before_start, exit_record, result_of
from towline.workers.remote.evidence import Evidence
from towline.workers.remote.flights import Flight, Phase
from towline.workers.remote.folders import Site
from towline.workers.schedulers.scheduler import EndReason, JobStatus, QueueState, StatusAnswer

#: How long a job's own record of a failure waits for the accounting to say more, and the accounting for the record.
_EXPLANATION_SECONDS, _RECORD_SECONDS = 20.0, 10.0
#: After this time a job of which nobody knows anything has vanished; a process that is gone is gone at once.
_GONE_SECONDS, _PROCESS_GONE_SECONDS = 300.0, 1.0
#: And not before it was looked for so often.
_GONE_LOOKS = 3

#: Ends after which the job had time to write its own record.
_LEAVES_RECORD = (EndReason.COMPLETED, EndReason.EXIT_CODE)


class Judge:
    """Moves the flights of a worker on, by what is there and never by what is missing."""

    def __init__(self, board: Board, site: Site, gone_seconds: float | None) -> None:
        self._board = board
        self._site = site
        self._has_accounting = site.queue.name != "shell"
        usual = _GONE_SECONDS if self._has_accounting else _PROCESS_GONE_SECONDS
        self._gone_seconds = usual if gone_seconds is None else gone_seconds
        self._missing: set[str] = set()

    def seen(self, flights: Sequence[Flight], evidence: Mapping[str, Evidence]) -> bool:
        """Take in what stands in the run folders; return whether something happened."""
        now = time.monotonic()
        with self._board.changed:
            # Each of them is to be seen, so the first one that changed must not end it.
            changed = [self._see(item, evidence[item.key], now) for item in flights if item.key in evidence]
        return any(changed)

    def _see(self, flight: Flight, found: Evidence, now: float) -> bool:
        if flight.phase is Phase.ENDED:
            return False
        if found.queue_id is not None:
            flight.queue_id, flight.submitted_at = found.queue_id
            flight.prepared = None
        if flight.phase is Phase.WAITING and found.queue_id is not None:
            self._submitted(flight, now)
        if flight.phase is Phase.ADOPTED:
            self._place(flight, found, now)
            if flight.phase is Phase.ADOPTED:
                return True
        changed = False
        if found.never and flight.cancel and flight.queue_id is not None and flight.cancel_sent_at is None:
            return False  # it will do nothing, but its scheduler has it still: that is told first
        if found.never:
            self._board.end(flight, cancelled_before_start(), None, "")
            return True
        if found.started_at is not None:
            changed = self._started(flight, found.started_at)
        if found.exit is not None:
            return self._left_record(flight, found, now) or changed
        return changed

    def _submitted(self, flight: Flight, now: float) -> None:
        """Others are being submitted with it, whose answer has not come."""
        if not flight.uploaded:
            flight.uploaded = True
            self._board.tell(flight, "uploaded")
        flight.phase, flight.since, flight.reason = Phase.QUEUED, now, None
        self._board.tell(flight, "submitted")

    def _place(self, flight: Flight, found: Evidence, now: float) -> None:
        """Say how far an adopted flight is; it stays adopted only when it goes away."""
        if not found.tried and not flight.cancel:
            self._board.tell(flight, "returned")
            return
        is_there = found.queue_id is not None or found.started_at is not None or found.exit is not None
        flight.phase, flight.since = (Phase.QUEUED if is_there else Phase.WAITING), now

    def _started(self, flight: Flight, at: float) -> bool:
        flight.phase, flight.reason = Phase.RUNNING, None
        if flight.started_told:
            return False
        flight.started_told = True
        self._board.tell(flight, "started", at)
        return True

    def _left_record(self, flight: Flight, found: Evidence, now: float) -> bool:
        own = found.exit
        if self._has_accounting and own is not None and own.exit_code != 0 and flight.ended_status is None:
            flight.unexplained_since = flight.unexplained_since or now
            if flight.waits:
                return False  # a job that the scheduler was asked to start again
            if now - flight.unexplained_since < _EXPLANATION_SECONDS and flight.queue_id is not None:
                return False
        self._end(flight, found, flight.ended_status)
        return True

    def asked(self, flights: Sequence[Flight], answer: StatusAnswer) -> bool:
        """Take in what the scheduler says of jobs in its queue; return whether something happened."""
        changed = False
        missing = set(answer.missing)
        with self._board.changed:
            for flight in flights:
                status = answer.statuses.get(flight.queue_id or "")
                if status is None or flight.phase is Phase.ENDED:
                    continue
                changed |= self._apply(flight, status)
                if status.queue_id in missing:
                    self._missing.add(flight.key)
                elif status.state is not QueueState.UNKNOWN:
                    flight.gone_since, flight.gone_looks = None, 0
        return changed

    def _apply(self, flight: Flight, status: JobStatus) -> bool:
        flight.reason = status.reason
        flight.waits = status.state in (QueueState.QUEUED, QueueState.HELD)
        if status.state is QueueState.RUNNING and self._has_accounting:
            return self._started(flight, status.started_at or time.time())
        if status.state is QueueState.ENDED:
            flight.ended_status = status
            self._missing.add(flight.key)
        return False

    def doubtful(self) -> list[Flight]:
        """Flights about which the accounting is to be asked."""
        with self._board.changed:
            keys, self._missing = self._missing, set()
            return [
                flight
                for flight in self._board.flights.values()
                if flight.in_place
                and flight.queue_id is not None
                and (flight.key in keys or flight.unexplained_since is not None or flight.ended_status is not None)
            ]

    def accounted(
        self, flights: Sequence[Flight], answer: StatusAnswer | None, evidence: Mapping[str, Evidence]
    ) -> bool:
        """Take in what the accounting says of jobs that left the queue; return whether something happened."""
        now = time.monotonic()
        changed = False
        with self._board.changed:
            for flight in flights:
                status = None if answer is None else answer.statuses.get(flight.queue_id or "")
                found = evidence.get(flight.key)
                if found is None or flight.phase is Phase.ENDED:
                    continue
                if status is not None and status.state is QueueState.ENDED:
                    flight.ended_status = status
                is_missing = answer is not None and answer.problem is None and flight.queue_id in answer.missing
                changed |= self._conclude(flight, found, now, is_missing=is_missing)
        return changed

    def _conclude(self, flight: Flight, found: Evidence, now: float, *, is_missing: bool) -> bool:
        if found.never or found.exit is not None:
            return self._see(flight, found, now)
        status = flight.ended_status
        if status is not None and status.end is not None:
            flight.ended_since = flight.ended_since or now
            if status.end.reason in _LEAVES_RECORD and now - flight.ended_since < _RECORD_SECONDS:
                return False
            self._end(flight, found, status)
            return True
        if is_missing:
            return self._gone(flight, found, now)
        return False

    def _gone(self, flight: Flight, found: Evidence, now: float) -> bool:
        flight.gone_since = flight.gone_since or now
        flight.gone_looks += 1
        patience_seconds = min(self._gone_seconds, _RECORD_SECONDS) if flight.cancel else self._gone_seconds
        if flight.gone_looks < _GONE_LOOKS or now - flight.gone_since < patience_seconds:
            return False
        self._end(flight, found, None)
        return True

    def _end(self, flight: Flight, found: Evidence, status: JobStatus | None) -> None:
        record = exit_record(found, status, cancelled=flight.cancel)
        result = result_of(flight.kind, flight.run_dir, flight.package, record, found)
        self._board.end(flight, record, result, found.error_tail, found.output_tail)
