"""The allocations of a batch worker: how many are wanted, submitting them as jobs are, and what became of them."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

import orjson

from towline.core.records import Assignment, BatchRecord, ExitRecord, Observation, pack_job
from towline.on_worker.batch.allocation import KIND
from towline.on_worker.batch.settings import BatchSettings
from towline.workers.batch.plan import BatchPlan
from towline.workers.remote.board import Board
from towline.workers.remote.errands import Errands
from towline.workers.remote.flights import Flight, Phase
from towline.workers.remote.folders import Site, prepare
from towline.workers.transports.transport import Transport

#: After allocations that ended without having run a job: how long none is submitted, at first and at most.
_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 5.0, 600.0
#: What the keeper of a host without scheduler writes of a job that somebody ended.
_KEEPER_SAYS = "it was cancelled while it ran"


class AllocationState(str, Enum):
    """How far an allocation is."""

    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"


@dataclass(slots=True)
class Allocation:
    """One allocation. Changes as it goes on; times are seconds since the epoch."""

    uid: str
    key: str
    state: AllocationState = AllocationState.SUBMITTED
    process_id: str | None = None
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    #: The newest sign of life of its pilots, and what they said.
    life_at: float | None = None
    lives: list[Mapping[str, Any]] = field(default_factory=list)
    #: How it ended, when that is known.
    exit: ExitRecord | None = None
    #: Monotonic seconds at which its end was noticed.
    noticed: float | None = None
    #: Whether what it had was let go of.
    closed: bool = False
    #: Whether there is a record of it.
    told: bool = False

    @property
    def jobs_ended(self) -> int:
        """Jobs that its pilots ran, as far as they told."""
        return sum(int(life.get("ended") or 0) for life in self.lives)

    @property
    def reason(self) -> str | None:
        """Why it ended, in a word: the scheduler's where it has something to say, else that of its pilots."""
        if self.exit is None or self.exit.reason != "exited":
            return None if self.exit is None else self.exit.reason
        if self.exit.exit_code:
            return "failed"
        words = sorted({str(life["end"]) for life in self.lives if life.get("end")} - {"ended"})
        # Some of its nodes may have had nothing to do, while others were stopped.
        words = [word for word in words if word != "idle"] or words
        # The last sign of life may be seen after the end.
        return words[0] if words else (self.exit.reason if self.closed else None)

    def why(self) -> str:
        """Why jobs that ran in it did not end, in a sentence."""
        name = self.process_id or self.uid
        end = self.exit
        if end is None or end.reason == "vanished":
            return f"its allocation {name} is gone, and nobody knows how it ended"
        if end.reason == "cancelled" and end.message in (None, _KEEPER_SAYS):
            return f"its allocation {name} was cancelled"
        said = f" ({end.reason})" if end.message is None else f": {end.message}"
        return f"its allocation {name} ended before it did{said}"


class _AllocationErrands(Errands):
    """The rounds of the allocations."""

    def look_at_once(self) -> None:
        """Do not wait for the time of the next look."""
        self._next_look = 0.0


class Allocations:
    """All allocations of a worker."""

    def __init__(self, site: Site, batch: BatchPlan, transport: Transport, gone_seconds: float | None) -> None:
        self.problem: str | None = None
        self._worker = site.worker
        self._batch = batch
        self._site = replace(site, work_dir=batch.allocations, queue=batch.queue, execution_cmd=None)
        self._board = Board()
        self._errands = _AllocationErrands(self._board, self._site, transport, 1 << 20, gone_seconds)
        self._by_key: dict[str, Allocation] = {}
        self._by_uid: dict[str, Allocation] = {}
        self._rest_until = 0.0
        self._rest_seconds = 0.0
        self._slots_seen: int | None = None
        self._news: dict[str, BatchRecord] = {}

    @property
    def active(self) -> list[Allocation]:
        """Those that have not ended."""
        return [item for item in self._by_uid.values() if item.state is not AllocationState.FINISHED]

    @property
    def ended(self) -> list[Allocation]:
        """Those whose end still has to be dealt with."""
        return [item for item in self._by_uid.values() if item.state is AllocationState.FINISHED and not item.closed]

    @property
    def asked(self) -> bool:
        """Whether the last round asked the worker anything."""
        return self._errands.asked

    @property
    def scheduler_problem(self) -> str | None:
        """Why no allocation can be had now."""
        return self.problem or self._errands.scheduler_problem

    @property
    def environment_problem(self) -> str | None:
        """Why allocations wait for another environment on the worker."""
        return self._errands.environment_problem

    def find(self, uid: str) -> Allocation | None:
        """The allocation of this uid."""
        return self._by_uid.get(uid)

    def news(self) -> list[BatchRecord]:
        """Records that changed and were not stored since."""
        with self._board.changed:
            return list(self._news.values())

    def stored(self, records: Sequence[BatchRecord]) -> None:
        """These are stored."""
        with self._board.changed:
            for record in records:
                if self._news.get(record.uid) is record:
                    del self._news[record.uid]

    def adopt(self, uid: str) -> Allocation:
        """Find out about an allocation that an earlier runner submitted."""
        known = self._by_uid.get(uid)
        if known is not None:
            return known
        assignment = self._assignment(uid, b"")
        found = self._remember(uid, assignment.key)
        with self._board.changed:
            flight = Flight.of(assignment, Phase.ADOPTED, time.monotonic())
            self._board.flights[flight.key] = flight
        return found

    def submit_wanted(self, free: int) -> None:
        """Submit as many allocations as `free` jobs in the spool call for."""
        now = time.monotonic()
        active = self.active
        # Those that have no pilot yet will take jobs as soon as they have one.
        coming = sum(item.life_at is None for item in active)
        expected = self._batch.parallel_jobs or self._slots_seen or self._batch.expected_jobs
        wanted = min(self._batch.max_allocations - len(active), math.ceil(free / expected) - coming)
        if wanted <= 0 or now < self._rest_until:
            return
        with self._board.changed:
            for _ in range(wanted):
                uid = str(uuid4())
                assignment = self._assignment(uid, self._package(uid))
                flight = Flight.of(assignment, Phase.WAITING, now)
                flight.prepared = prepare(assignment, self._site)
                self._board.flights[flight.key] = flight
                self._remember(uid, assignment.key)

    def cancel(self, uids: Sequence[str]) -> None:
        """End allocations."""
        with self._board.changed:
            for uid in uids:
                known = self._by_uid.get(uid)
                flight = None if known is None else self._board.flights.get(known.key)
                if flight is not None and flight.phase is not Phase.ENDED:
                    flight.cancel = True

    def round(self) -> float | None:
        """Submit and look; return the seconds until something is due again."""
        wait_seconds = self._errands.round()
        for observation in self._board.take():
            allocation = self._by_key.get(observation.key)
            if allocation is not None:
                self._observe(allocation, observation)
        self._tell_of_adopted()
        if self._rest_until > time.monotonic():
            rest = self._rest_until - time.monotonic()
            wait_seconds = rest if wait_seconds is None else min(rest, wait_seconds)
        return wait_seconds

    def _tell_of_adopted(self) -> None:
        """Those that an earlier runner submitted, perhaps without having told anybody."""
        for allocation in self._by_uid.values():
            flight = self._board.flights.get(allocation.key)
            if not allocation.told and flight is not None and flight.phase in (Phase.QUEUED, Phase.RUNNING):
                allocation.process_id = flight.queue_id
                self._tell(allocation)

    def look_now(self) -> None:
        """Look at them, whether or not it is time for that: jobs that began in one tell that it has."""
        self._errands.look_at_once()
        self.round()

    def see_lives(self, lives: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Take in signs of life."""
        for uid, found in lives.items():
            allocation = self._by_uid.get(uid)
            if allocation is None or not found:
                continue
            newest = max(float(life["at"]) for life in found)
            if newest != allocation.life_at:
                allocation.life_at, allocation.lives = newest, list(found)
                self._slots_seen = sum(int(life["cores"]) for life in found) or None
                self._tell(allocation)

    def close(self, uid: str) -> None:
        """What the allocation had was let go of."""
        allocation = self._by_uid[uid]
        allocation.closed = True
        self._tell(allocation)

    def forget_closed(self, in_use: frozenset[str]) -> None:
        """Forget those that no attempt refers to any more."""
        for uid in [uid for uid, item in self._by_uid.items() if item.closed and uid not in in_use]:
            del self._by_key[self._by_uid.pop(uid).key]

    def shut(self) -> None:
        """Give the descriptors back."""
        self._board.close()

    def _remember(self, uid: str, key: str) -> Allocation:
        # Nobody is told of one that is only meant to be submitted: it might never be.
        found = Allocation(uid, key, created_at=time.time())
        self._by_uid[uid] = self._by_key[key] = found
        return found

    def _observe(self, allocation: Allocation, observation: Observation) -> None:
        event = observation.event
        if event == "uploaded":
            return
        if observation.process_id is not None:
            allocation.process_id = observation.process_id
        if event == "started":
            allocation.state, allocation.started_at = AllocationState.RUNNING, observation.at
        elif event in ("ended", "returned", "step_failed", "cancelled"):
            self._end(allocation, observation)
        # What was made ready or refused, and certainly never submitted, has been no allocation.
        if allocation.told or event not in ("returned", "step_failed"):
            self._tell(allocation)

    def _end(self, allocation: Allocation, observation: Observation) -> None:
        with self._board.changed:
            flight = self._board.flights.pop(allocation.key, None)
            if flight is not None and flight.queue_id is not None:
                allocation.process_id = flight.queue_id
        if allocation.state is AllocationState.FINISHED:
            return
        allocation.state, allocation.ended_at = AllocationState.FINISHED, observation.at
        allocation.exit, allocation.noticed = observation.exit, time.monotonic()
        if allocation.exit is not None and allocation.exit.started_at is not None:
            allocation.started_at = allocation.exit.started_at
        self._judge(allocation, observation)

    def _judge(self, allocation: Allocation, observation: Observation) -> None:
        """Rest after an allocation that came to nothing: the next one would too."""
        end = observation.exit
        if observation.failure is not None:
            self._rest(observation.failure.message)
        elif end is not None and end.exit_code != 0 and end.reason not in _NOBODYS_FAULT and not allocation.jobs_ended:
            said = end.message or f"exit code {end.exit_code}"
            words = (observation.tail or "").strip().splitlines()
            said += f": {words[-1]}" if words else ""
            name = allocation.process_id or allocation.uid
            where = f"{self._batch.allocations}/{allocation.uid}"
            # What it did not come to tell, being killed, may have happened.
            remedy = _REMEDIES.get(end.reason, "")
            self._rest(
                f"the allocation {name} ended without telling of a job that ended ({said}); {remedy}look into {where}"
            )
        elif observation.event == "ended":
            self.problem, self._rest_seconds = None, 0.0

    def _rest(self, problem: str) -> None:
        self._rest_seconds = min(_LONGEST_REST_SECONDS, max(_FIRST_REST_SECONDS, 2 * self._rest_seconds))
        self._rest_until = time.monotonic() + self._rest_seconds
        self.problem = f"{problem}; the next allocation is submitted in {self._rest_seconds:.0f} s"

    def _tell(self, allocation: Allocation) -> None:
        allocation.told = True
        with self._board.changed:
            self._news[allocation.uid] = BatchRecord(
                uid=allocation.uid,
                worker=self._worker,
                process_id=allocation.process_id,
                state=allocation.state.value,
                folder=f"{self._batch.allocations}/{allocation.uid}",
                created_at=allocation.created_at,
                started_at=allocation.started_at,
                ended_at=allocation.ended_at,
                pinged_at=allocation.life_at,
                reason=allocation.reason,
                jobs_ended=allocation.jobs_ended,
            )

    def _assignment(self, uid: str, package: bytes) -> Assignment:
        return Assignment(
            job_id=UUID(uid).int >> 64,
            uuid=uid,
            index=1,
            attempt=1,
            name=f"batch_{self._worker}",
            payload_kind=KIND,
            package=package,
            run_dir=f"{self._batch.allocations}/{uid}",
            resources=self._batch.resources,
            shell=self._batch.shell,
        )

    def _package(self, uid: str) -> bytes:
        batch = self._batch
        settings = BatchSettings(
            uid=uid,
            spool=batch.spool,
            run_dir=f"{batch.allocations}/{uid}",
            scheduler=batch.queue.name,
            preload=batch.modules,
            parallel_jobs=batch.parallel_jobs,
            max_jobs=batch.max_jobs_per_batch,
            max_time=batch.max_time,
            max_wait=batch.max_wait,
            sleep_time=batch.sleep_time,
            grace_seconds=batch.grace_seconds,
            time_limit=batch.time_limit,
        )
        header = {"db_id": uid, "uuid": uid, "index": 1, "attempt": 1, "name": "batch", "payload_kind": KIND}
        return pack_job(header, orjson.dumps(settings.as_json()), ())


#: What helps, by the reason of the end.
_REMEDIES = {
    "out_of_memory": "give it more by memory_gigabytes in the resources of the worker, 1 and what your jobs take; ",
}
#: Ends that say nothing about whether the next allocation would do better.
_NOBODYS_FAULT = frozenset({"timeout", "node_failure", "preempted", "cancelled"})
