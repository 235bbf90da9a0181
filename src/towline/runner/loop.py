"""The runner: claims jobs, hands them to workers, and writes what becomes of them.

One thread, no polling of its own database: it sleeps until a worker has something to tell, somebody wakes it through
the pipe of the project, or a time it knows of has come. Everything that came in together is written in one
transaction, the next jobs are claimed in the same one, and only then are they handed over: a runner that ends at any
instruction leaves a state from which the next one goes on.
"""

import logging
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from towline.core.ports import Batches, Step
from towline.core.records import Assignment, BatchRecord, Observation
from towline.errors import CommitUnknown, LeaseLost, RunnerKilled, StoreError
from towline.runner import cancellations, packages
from towline.runner.deliveries import Deliveries
from towline.runner.held import Attempts, Held
from towline.runner.observations import digest, results_of
from towline.runner.room import Room
from towline.runner.setup import Place, Setup
from towline.runner.signs_of_life import LEASE_SECONDS, renewal_seconds
from towline.runner.wake import Alarm
from towline.store import batches, jobs, leases
from towline.store.database import Database, Transaction

logger = logging.getLogger(__name__)

#: How long the runner sleeps at most; a change that came without a call of :func:`towline.runner.wake.wake` is noticed
#: then, and so is a new configuration.
_LONGEST_SLEEP_SECONDS = 1.0

#: News that nobody waits for (a job has started) is written with the next end of a job, at most this much later.
_WRITE_DELAY_SECONDS = 0.02

#: Ends are gathered for this long while the workers have more than enough to do.
_GATHER_SECONDS = 0.004

#: What a worker may tell that others wait for.
_URGENT = frozenset({"ended", "step_failed", "returned", "cancelled"})

#: Between two looks whether files have arrived that jobs wait for.
_DELIVERY_LOOK_SECONDS = 0.1

#: How long to leave the database alone after it refused (full disk, damaged file).
_STORE_REST_SECONDS = 1.0

#: An attempt that should end is asked again after this time.
_CANCEL_AGAIN_SECONDS = 5.0


@dataclass(slots=True)
class _Clocks:
    """Times of what the runner does now and then, in seconds since the epoch."""

    renew_lease: float = 0.0
    cancel_again: float = 0.0
    #: When news that is not urgent is written at the latest; None when there is none.
    write: float | None = None
    #: When the next attempt of a job is due that waits for its time; None when none does.
    delayed: float | None = None


class Loop:
    """The runner of one project.

    Parameters
    ----------
    database
        The queue; its `actor` names this runner in the journal.
    setup
        Workers, job store and policy.
    runner_id
        The lease of this runner, from :func:`towline.store.leases.acquire`.
    alarm
        What wakes it from other processes.
    reload
        Gives a new setup when the configuration has changed, else None.
    only_job_id
        Claim this job and no other.
    """

    def __init__(
        self,
        database: Database,
        setup: Setup,
        runner_id: int,
        alarm: Alarm,
        reload: Callable[[], Setup | None] = lambda: None,
        only_job_id: int | None = None,
    ) -> None:
        self._database = database
        self._setup = setup
        self._runner_id = runner_id
        self._alarm = alarm
        self._reload = reload
        self._only_job_id = only_job_id
        self._attempts = Attempts()
        self._cancellations: dict[str, cancellations.Cancellation] = {}
        self._unreachable: set[str] = set()
        self._room = Room()
        self._deliveries = Deliveries()
        self._clocks = _Clocks()
        self._seen_version = -1
        self._may_claim = True
        self._undigested: list[Observation] = []
        self._stopping = False

    def request_stop(self) -> None:
        """End after the present round; jobs go on running. Safe in a signal handler."""
        self._stopping = True

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Work until :meth:`request_stop`, a request in the database, or `until` says so after a round.

        Raises
        ------
        LeaseLost
            Another runner took over.
        RunnerKilled
            Somebody asked in the database that it ends at once.
        CommitUnknown
            Nobody knows whether the last transaction was made true.
        """
        while not self._stopping:
            try:
                busy = self._round()
            except (LeaseLost, CommitUnknown):
                # Another runner, or the next one of the supervisor, finds out what is true.
                raise
            except StoreError as error:
                # Nothing was written, nothing is forgotten: what the workers told is kept and written later.
                logger.error("%s", error)
                self._sleep(_STORE_REST_SECONDS, workers=False)
                busy = True
            if until():
                return
            if not busy:
                self._sleep(self._longest_sleep())

    def close(self) -> None:
        """Let go of the workers and of the lease."""
        for place in self._setup.places.values():
            place.worker.close()
        try:
            with self._database.transaction() as transaction:
                leases.release(transaction, self._runner_id)
        except StoreError as error:
            logger.warning("the lease stays until it expires: %s", error)

    @property
    def idle(self) -> bool:
        """Whether the runner holds nothing, and found nothing to claim in its last round."""
        busy = self._attempts.by_key or self._may_claim or self._cancellations
        return not busy and self._clocks.delayed is None

    def _round(self) -> bool:
        """Do everything that can be done now; return whether something was done."""
        now = self._database.clock()
        self._look_for_changes(now)
        if self._clocks.delayed is not None and now >= self._clocks.delayed:
            self._may_claim = True
            self._look_for_delayed(now)
        self._deliver()
        for key, step in self._attempts.take_due(now):
            self._begin(step, key)
        seen, urgent = self._observe()
        if urgent and self._is_well_supplied(seen):
            urgent = False
            self._write_by(now + _GATHER_SECONDS)
        elif seen:
            self._write_by(now + _WRITE_DELAY_SECONDS)
        due = (
            self._clocks.renew_lease
            if self._clocks.write is None
            else min(self._clocks.renew_lease, self._clocks.write)
        )
        if not urgent and not self._may_claim and now < due and not self._batch_news():
            return False
        return self._write(seen) or urgent

    def _is_well_supplied(self, seen: dict[str, list[Observation]]) -> bool:
        """Whether every slot still has a job after those in `seen`, so that nobody waits for this runner."""
        limit = sum(place.job_limit for place in self._setup.places.values())
        return len(self._attempts.by_key) - len(seen) > limit

    def _write_by(self, at: float) -> None:
        self._clocks.write = at if self._clocks.write is None else min(at, self._clocks.write)

    def _look_for_changes(self, now: float) -> None:
        self._alarm.clear()
        version = self._database.data_version()
        if version == self._seen_version and now < self._clocks.cancel_again:
            return
        changed = version != self._seen_version
        self._seen_version = version
        self._may_claim = self._may_claim or changed
        if changed:
            self._look_for_delayed(now)
        self._clocks.cancel_again = now + _CANCEL_AGAIN_SECONDS
        if changed:
            self._heed_request()
        places = self._setup.places
        self._cancellations = cancellations.pending(self._database, places, self._unreachable)
        if self._cancellations:
            cancellations.send(places, list(self._cancellations.values()))
        if changed:
            self._take_over()

    def _heed_request(self) -> None:
        """Do what somebody, on whatever machine, asks of this runner."""
        wish = leases.requested(self._database, self._runner_id)
        if wish == leases.KILL:
            with self._transaction() as transaction:
                leases.release(transaction, self._runner_id)
            raise RunnerKilled(f"runner {self._runner_id} was asked to end at once; the next one takes its jobs over")
        if wish == leases.STOP:
            logger.info("asked to stop")
            self._stopping = True

    def _look_for_delayed(self, now: float) -> None:
        self._clocks.delayed = jobs.next_delayed(self._database, now)

    def _take_over(self) -> None:
        """Hold the jobs of a runner that is gone, and those whose failed step is to be repeated."""
        workers = list(self._setup.places)
        if not jobs.any_to_take_over(self._database, self._runner_id, workers):
            return
        with self._transaction() as transaction:
            taken = jobs.take_over(transaction, self._runner_id, workers)
        by_worker: dict[str, list[Held]] = {}
        for job in taken:
            assignment = packages.assignment_of(job, self._setup.places[job.worker], again=True)
            held = self._attempts.by_key[job.key] = Held(job, assignment)
            by_worker.setdefault(job.worker, []).append(held)
        for name, adopted in by_worker.items():
            logger.info("took over %d jobs on %s", len(adopted), name)
            self._setup.places[name].worker.adopt([held.assignment for held in adopted if held.assignment])

    def _observe(self) -> tuple[dict[str, list[Observation]], bool]:
        """What the workers saw and is not written yet, by attempt, and whether somebody waits for it.

        What concerns nobody is acknowledged.
        """
        for place in self._setup.places.values():
            self._undigested.extend(place.worker.observe())
        seen: dict[str, list[Observation]] = {}
        strangers: dict[str, Observation] = {}
        for observation in self._undigested:
            is_end = observation.event in ("ended", "cancelled", "returned")
            if is_end and observation.key in self._cancellations:
                strangers[observation.key] = observation
            elif observation.key in self._attempts.by_key:
                seen.setdefault(observation.key, []).append(observation)
            elif is_end:
                strangers[observation.key] = observation
        if strangers:
            self._meet_strangers(list(strangers))
        return seen, any(observation.event in _URGENT for observation in self._undigested)

    def _meet_strangers(self, keys: list[str]) -> None:
        """Ends of attempts that the runner does not hold: cancelled ones, and ends that were stored before."""
        confirmed = [self._cancellations[key] for key in keys if key in self._cancellations]
        if confirmed:
            with self._transaction() as transaction:
                for cancellation in confirmed:
                    cancellations.confirm(transaction, cancellation)
            for cancellation in confirmed:
                del self._cancellations[cancellation.key]
                place = self._setup.places.get(cancellation.worker)
                if place is not None:
                    cancellations.delete_files(cancellation, place)
            self._may_claim = True
        for place in self._setup.places.values():
            place.worker.acknowledge(keys)
        self._forget(keys)
        gone = set(keys)
        self._undigested = [observation for observation in self._undigested if observation.key not in gone]

    def _write(self, seen: dict[str, list[Observation]]) -> bool:
        """Store what was seen and claim the next jobs in one transaction, then hand these over.

        Returns whether jobs were claimed.
        """
        outputs_of = self._setup.outputs_of
        results = results_of(self._attempts, seen, outputs_of)
        claimed = {}
        with self._transaction() as transaction:
            done = digest(transaction, self._attempts, seen, results, self._setup)
            for name, free in self._room.free(self._setup, transaction, self._only_job_id).items():
                claimed[name] = jobs.claim(transaction, name, free, self._runner_id, self._only_job_id)
            news = self._batch_news()
            for _, records in news:
                batches.save(transaction, records)
            self._renew_lease(transaction)
        for source, records in news:
            source.batch_stored(records)
        self._undigested.clear()
        self._clocks.write = None
        self._room.learn(self._attempts, seen)
        self._forget(done.released)
        if done.delayed:
            self._look_for_delayed(self._database.clock())
        for place in self._setup.places.values():
            if done.ended:
                place.worker.acknowledge(done.ended)
        # Every slot that this round freed was offered in its own transaction.
        self._may_claim = False
        for name, batch in claimed.items():
            if batch:
                self._hand_over(self._setup.places[name], batch)
        return any(claimed.values())

    def _batch_news(self) -> list[tuple[Batches, Sequence[BatchRecord]]]:
        """What workers tell of their allocations."""
        sources = [place.batches for place in self._setup.places.values() if place.batches is not None]
        return [(source, records) for source in sources if (records := source.batch_news())]

    def _hand_over(self, place: Place, batch: list[tuple[jobs.QueuedJob, bytes]]) -> None:
        built = packages.build(self._database, self._setup, place, batch, self._deliveries)
        for job, _ in batch:
            self._attempts.by_key[job.key] = Held(job, None)
        self._give(place, *built)

    def _deliver(self) -> None:
        """Hand over the jobs whose files have arrived from other workers."""
        held = self._attempts.by_key
        for item in self._deliveries.take(lambda key: key in held and key not in self._cancellations):
            place = self._setup.places.get(item.job.worker)
            if place is not None:
                self._give(place, *packages.build_arrived([item], place, self._setup.db_id_prefix))

    def _give(self, place: Place, assignments: Sequence[Assignment], failures: Sequence[packages.Unbuilt]) -> None:
        for assignment in assignments:
            self._attempts.by_key[assignment.key].assignment = assignment
        place.worker.advance(Step.UPLOAD, assignments)
        place.worker.advance(Step.SUBMIT, assignments)
        now = self._database.clock()
        self._undigested.extend(
            Observation(job.key, "step_failed", now, failure=failure, may_retry=may_retry)
            for job, failure, may_retry in failures
        )

    def _begin(self, step: Step, key: str) -> None:
        """Try a step again whose time has come."""
        held = self._attempts.by_key[key]
        place = self._setup.places.get(held.job.worker)
        if place is None:
            return
        if held.assignment is None or not held.assignment.package or step is Step.DOWNLOAD:
            # What this runner does not have in memory it finds out as after a restart.
            held.assignment = packages.assignment_of(held.job, place, again=True)
            place.worker.adopt([held.assignment])
            return
        if step is Step.UPLOAD:
            place.worker.advance(Step.UPLOAD, [held.assignment])
        place.worker.advance(Step.SUBMIT, [held.assignment])

    def _forget(self, keys: list[str]) -> None:
        for key in keys:
            self._attempts.by_key.pop(key, None)

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        """A transaction that only the present runner may make: one that was replaced meanwhile changes nothing."""
        with self._database.transaction() as transaction:
            leases.check(transaction, self._runner_id)
            yield transaction

    def _renew_lease(self, transaction: Transaction) -> None:
        if transaction.now < self._clocks.renew_lease:
            return
        status = self._deliveries.statuses(self._setup)
        self._clocks.renew_lease = transaction.now + renewal_seconds(status.values())
        leases.renew(transaction, self._runner_id, LEASE_SECONDS, orjson.dumps(status))

    def _longest_sleep(self) -> float:
        now = self._database.clock()
        clocks = self._clocks
        due = [clocks.renew_lease, *filter(None, [self._attempts.next_due(), clocks.write, clocks.delayed])]
        looks = [place.worker.next_look_seconds() for place in self._setup.places.values()]
        waits = [at - now for at in due] + [seconds for seconds in looks if seconds is not None]
        longest = _DELIVERY_LOOK_SECONDS if self._deliveries else _LONGEST_SLEEP_SECONDS
        return max(0.0, min(longest, *waits))

    def _sleep(self, seconds: float, *, workers: bool = True) -> None:
        descriptors = [self._alarm.fileno(), *self._database.file_descriptors()] if workers else []
        if workers:
            for place in self._setup.places.values():
                descriptors.extend(place.worker.file_descriptors())
        select.select(descriptors, [], [], seconds)
        setup = self._reload()
        if setup is not None:
            self._attempts.follow(self._setup, setup)
            self._setup = setup
            self._may_claim = True
