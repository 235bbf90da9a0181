"""What the thread of a batch worker does: jobs go into the spool, and come back from their folders."""

import time
from collections.abc import Sequence

from towline.core.records import ExitRecord, Failure
from towline.workers.batch.allocations import Allocation, Allocations, AllocationState
from towline.workers.batch.plan import BatchPlan
from towline.workers.batch.scripts import (
    SpoolState,
    close_script,
    known_script,
    put_script,
    read_state,
    state_script,
    stop_script,
    take_out_script,
    was_put,
)
from towline.workers.remote.board import Board
from towline.workers.remote.cancelling import claims_script
from towline.workers.remote.errands import Errands
from towline.workers.remote.evidence import Evidence
from towline.workers.remote.flights import Flight, Phase
from towline.workers.remote.folders import Site
from towline.workers.remote.timing import look_seconds
from towline.workers.remote.work_dir import WorkDir
from towline.workers.transports.transport import Transport

#: How often it is looked whether every job that waits is in the spool, or with a pilot.
_LISTING_SECONDS = 30.0
#: A job that was in neither place so often in a row is put there again.
_MISSED_TIMES = 2
#: How long the records of jobs may take to be seen after their allocation has ended, and how often they are looked for.
_RECORD_SECONDS, _RECORD_LOOKS = 3.0, 2
_CANCEL_AGAIN_SECONDS = 5.0
_PUT_AGAIN_SECONDS = 5.0
#: News after a quiet time brings looks in quick succession once more.
_QUIET_SECONDS = 20.0
_NOT_THERE = (Phase.UPLOADING, Phase.WAITING)


class BatchErrands(Errands):
    """The rounds of a batch worker.

    Parameters
    ----------
    allocations
        What runs the jobs.
    """

    def __init__(
        self, board: Board, site: Site, transport: Transport, batch: BatchPlan, allocations: Allocations
    ) -> None:
        super().__init__(board, site, transport, 1 << 20, None)
        self._batch = batch
        self.allocations = allocations
        self._knows_allocations = False
        self._free_jobs = 0
        self._next_listing = 0.0
        self._missed: dict[str, int] = {}
        #: How often a job was seen without a record after the end of its allocation.
        self._unrecorded: dict[str, int] = {}

    def round(self) -> float | None:
        """Do everything that is due; return the seconds until something is due again."""
        self.hurry, self.asked = False, False
        self._cancel()
        self._submit()
        self._find_allocations()
        self._look()
        allocations_due = self._follow_allocations()
        self._delete()
        self.asked |= self.allocations.asked
        self.scheduler_problem = self.allocations.scheduler_problem
        waits = [self._wait_seconds(time.monotonic()), allocations_due]
        return min((wait for wait in waits if wait is not None), default=None)

    @property
    def environment_problem(self) -> str | None:
        """Why allocations wait for another environment."""
        return self.allocations.environment_problem

    def _find_allocations(self) -> None:
        """After a start: those that an earlier runner submitted."""
        with self._board.changed:
            anything = bool(self._board.flights)
        if self._knows_allocations or not anything:
            return
        self.asked = True
        # In a folder that is not mounted there are none, which says nothing.
        script = self._work_dirs.own.where_marked(known_script(self._batch.allocations))
        state = read_state(self._transport.run(script).stdout.decode(errors="replace"))
        if state is not None:
            self._knows_allocations = True
            for uid in state.allocations:
                self.allocations.adopt(uid)

    def _follow_allocations(self) -> float | None:
        if self._knows_allocations:
            self.allocations.submit_wanted(self._free_jobs)
        due = self.allocations.round()
        ended = [item.uid for item in self.allocations.ended if self._is_settled(item)]
        if ended:
            self.asked = True
            # The last words of its pilots come with it.
            script = state_script(self._batch.spool, self._batch.allocations, ended, listing=False)
            script += close_script(self._batch.spool, self._batch.allocations, ended)
            state = read_state(self._transport.run(script).stdout.decode(errors="replace"))
            if state is not None:
                self.allocations.see_lives(state.lives)
            for uid in ended:
                self.allocations.close(uid)
            self._next_listing = 0.0
            self._next_look = min(self._next_look, time.monotonic())
        with self._board.changed:
            in_use = frozenset(flight.batch for flight in self._board.flights.values() if flight.batch is not None)
        self.allocations.forget_closed(in_use)
        return 0.01 if ended else due

    def _is_settled(self, allocation: Allocation) -> bool:
        """Whether no job is left that ran in an allocation that has ended."""
        with self._board.changed:
            flights = [flight for flight in self._board.flights.values() if flight.batch == allocation.uid]
        return all(flight.phase is Phase.ENDED for flight in flights)

    # Into the spool

    def _free(self) -> int:
        return 1 << 20

    def _send_once(self, flights: Sequence[Flight], folder: WorkDir, *, submit: bool) -> None:
        self.asked = True
        entries = put_script(self._batch.spool, [flight.run_dir for flight in flights]) if submit else ""
        # The folder of the worker too: allocations are looked for where it has its mark.
        then = folder.marking + entries + ("" if folder is self._work_dirs.own else self._work_dirs.own.marking)
        trees = [flight.prepared.tree for flight in flights if flight.prepared is not None and not flight.uploaded]
        answer = self._transport.send(folder.path, trees, then=then)
        put = submit and was_put(answer.stdout.decode(errors="replace"))
        now = time.monotonic()
        with self._board.changed:
            for flight in flights:
                if not flight.uploaded and flight.prepared is not None:
                    flight.uploaded, flight.prepared = True, None
                    self._board.tell(flight, "uploaded")
                if put:
                    flight.phase, flight.since, flight.reason = Phase.QUEUED, now, None
                    self._missed.pop(flight.key, None)
                    self._board.tell(flight, "submitted")
                elif submit:
                    flight.try_again_at = now + _PUT_AGAIN_SECONDS
                    flight.reason = f"the spool {self._batch.spool} did not take it: {answer.last_words}"
        if put:
            self._free_jobs += len(flights)
            self._newest = now
            self._next_look = now + look_seconds(0)

    # Looking

    def _look(self) -> None:
        now = time.monotonic()
        with self._board.changed:
            flights = [flight for flight in self._board.flights.values() if flight.in_place]
            unseen = any(flight.phase is Phase.ADOPTED for flight in flights)
        if not (flights or self.allocations.active) or (now < self._next_look and not unseen):
            return
        listing = now >= self._next_listing
        uids = [item.uid for item in self.allocations.active if item.state is AllocationState.RUNNING]
        uids += [item.uid for item in self.allocations.ended]
        script = state_script(self._batch.spool, self._batch.allocations, uids, listing=listing)
        answer = self._read(flights, before=script)
        flights = [flight for flight in flights if flight.key not in answer.lost]
        self._attribute(flights, answer.evidence)
        changed = self._judge.seen(flights, answer.evidence)
        changed |= self._judge_interrupted(flights, answer.evidence)
        state = read_state(answer.said)
        if state is not None:
            self._free_jobs = state.free
            self.allocations.see_lives(state.lives)
            self._refuse(state)
            if listing:
                self._next_listing = time.monotonic() + _LISTING_SECONDS
                self._find_lost(state)
        now = time.monotonic()
        if changed and now - self._newest > _QUIET_SECONDS:
            self._newest = now
        self._next_look = now + look_seconds(now - self._newest, self._last_end_seconds(flights, now))
        self._looked_at = now

    def _wait_seconds(self, now: float) -> float | None:
        wait = super()._wait_seconds(now)
        if wait is None and self.allocations.active:
            return max(0.01, self._next_look - now)
        return wait

    def _attribute(self, flights: Sequence[Flight], evidence: dict[str, Evidence]) -> None:
        """Note in which allocation jobs began."""
        begun = [
            (flight, found.batch.rpartition(".")[0])
            for flight in flights
            if (found := evidence.get(flight.key)) is not None and found.batch is not None
        ]
        known = {uid: self.allocations.adopt(uid) for uid in {uid for _, uid in begun}}
        if any(item.process_id is None for item in known.values()):
            self.allocations.look_now()
        with self._board.changed:
            for flight, uid in begun:
                flight.batch = uid
                flight.queue_id = known[uid].process_id or flight.queue_id

    def _judge_interrupted(self, flights: Sequence[Flight], evidence: dict[str, Evidence]) -> bool:
        """End jobs that began in an allocation that is over, and left no record."""
        now, changed = time.monotonic(), False
        for flight in flights:
            found = evidence.get(flight.key)
            allocation = None if flight.batch is None else self.allocations.find(flight.batch)
            if found is None or allocation is None or allocation.noticed is None or flight.phase is Phase.ENDED:
                continue
            looks = self._unrecorded[flight.key] = self._unrecorded.get(flight.key, 0) + 1
            if looks < _RECORD_LOOKS or now - allocation.noticed < _RECORD_SECONDS:
                continue
            del self._unrecorded[flight.key]
            self._interrupt(flight, found, allocation)
            changed = True
        return changed

    def _interrupt(self, flight: Flight, found: Evidence, allocation: Allocation) -> None:
        reason, message = "interrupted", allocation.why()
        if flight.cancel:
            reason, message = "cancelled", "it was cancelled while it ran"
        ended_at = allocation.ended_at or time.time()
        host = str((found.started or {}).get("host") or "")
        record = ExitRecord(None, None, reason, found.started_at, ended_at, host, message=message)
        with self._board.changed:
            self._board.end(flight, record, None, found.error_tail)

    def _refuse(self, state: SpoolState) -> None:
        """Jobs that no node could ever run are the user's to change."""
        with self._board.changed:
            for flight in list(self._board.flights.values()):
                why = state.unfit.get(flight.mark)
                if why is not None and flight.phase is Phase.QUEUED and not flight.cancel:
                    failure = Failure("error", f"worker {self._site.worker} cannot run the job: {why}")
                    self._board.tell(flight, "step_failed", failure=failure, may_retry=False)
        if state.unfit:
            self._transport.run(take_out_script(self._batch.spool, list(state.unfit)))

    def _find_lost(self, state: SpoolState) -> None:
        """What is neither in the spool nor with a pilot, and has not begun, is put there again; that is always safe."""
        with self._board.changed:
            for flight in self._board.flights.values():
                if flight.phase is not Phase.QUEUED or flight.mark in state.marks or flight.cancel:
                    self._missed.pop(flight.key, None)
                    continue
                self._missed[flight.key] = self._missed.get(flight.key, 0) + 1
                if self._missed[flight.key] >= _MISSED_TIMES:
                    flight.phase = Phase.WAITING
            if self._missed:
                self._next_listing = min(self._next_listing, time.monotonic() + 1.0)

    # Ending

    def _cancel(self) -> None:
        now = time.monotonic()
        with self._board.changed:
            asked = [flight for flight in self._board.flights.values() if flight.cancel and flight.told is None]
            not_there = [item for item in asked if not item.uploaded and item.phase in _NOT_THERE]
            for flight in not_there:
                self._board.tell(flight, "cancelled")
            due = [
                flight
                for flight in asked
                if flight.key in self._board.flights
                and (flight.cancel_sent_at is None or now - flight.cancel_sent_at > _CANCEL_AGAIN_SECONDS)
            ]
        if not due:
            return
        script = "".join(folder.where_marked(self._ending(those)) for folder, those in self._work_dirs.apart(due))
        answer = self._read(due, before=script)
        now = time.monotonic()
        with self._board.changed:
            for flight in due:
                evidence = answer.evidence.get(flight.key)
                flight.cancel_sent_at = now
                if evidence is not None and (evidence.never or self._was_never_sent(flight, evidence)):
                    self._board.tell(flight, "cancelled")
                elif flight.phase in (*_NOT_THERE, Phase.ADOPTED):
                    flight.phase = Phase.QUEUED
        self._newest, self._next_look = now, now

    def _was_never_sent(self, flight: Flight, found: Evidence) -> bool:
        """Whether no runner ever had anything of it on the worker, as far as anybody knows."""
        unknown = flight.phase is Phase.ADOPTED and not flight.placed and not found.files
        return unknown and not self._work_dirs.of(flight).was_seen

    def _ending(self, flights: Sequence[Flight]) -> str:
        """A script that ends jobs, those that have not begun as well."""
        marks, spool = [flight.mark for flight in flights], self._batch.spool
        never = claims_script([flight.run_dir for flight in flights])
        return never + take_out_script(spool, marks) + stop_script(spool, marks)
