"""The worker behind a transport and a scheduler."""

import itertools
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from towline.core.ports import Step
from towline.core.records import Assignment, Failure, Observation
from towline.errors import ConnectionFailed, InvalidRequest, LoginNeeded, WorkerError
from towline.workers.remote.board import Board
from towline.workers.remote.errands import Errands
from towline.workers.remote.flights import Flight, Phase
from towline.workers.remote.folders import Prepared, Site, prepare
from towline.workers.remote.timing import Pause
from towline.workers.transports.transport import Transport

logger = logging.getLogger(__name__)

#: What a person has to do may be done at any moment, and to look whether it was costs no round trip.
_PERSON_SECONDS = 2.0
#: How long a round may go on after the runner let go of the worker.
_CLOSE_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 10.0
#: Jobs whose reason to wait is told; all of it stands in the row of the runner.
_MOST_REASONS = 200


class RemoteWorker:
    """Runs jobs by way of a transport and a scheduler.

    All that goes over the network is done by a thread of its own, in rounds that take any number of jobs. An outage
    belongs to the worker: it is told by :meth:`status`, jobs stay as they are, and it is tried again.

    Parameters
    ----------
    site
        What the run folders have in common: scheduler, folder, interpreter.
    transport
        The way there.
    slots
        How many jobs may be with the scheduler at the same time.
    gone_seconds
        After this time a job that neither queue nor accounting know, and that left no record, counts as vanished;
        None is what the scheduler needs.
    """

    def __init__(
        self,
        site: Site,
        transport: Transport,
        slots: int,
        *,
        gone_seconds: float | None = None,
        description: object = None,
    ) -> None:
        self.name = site.worker
        self.site = site
        self.transport = transport
        #: What the worker was made from; another one makes another worker.
        self.description = description
        self._board = Board()
        # A host without a scheduler starts all jobs at once.
        beside = site.queue.name != "shell"
        self._errands: Errands = Errands(self._board, site, transport, slots, gone_seconds, submits_beside=beside)
        self._pause = Pause()
        self._problem: WorkerError | None = None
        self._reached = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def set_slots(self, slots: int) -> None:
        """Change how many jobs may be with the scheduler at the same time."""
        with self._board.changed:
            self._errands.slots = slots
            self._board.changed.notify_all()

    def advance(self, step: Step, assignments: Sequence[Assignment]) -> None:
        """Begin `step` for all `assignments`; what came of it is told by :meth:`observe`."""
        now = time.monotonic()
        with self._board.changed:
            for assignment in assignments:
                if step is Step.UPLOAD:
                    self._upload(assignment, now)
                elif step is Step.SUBMIT:
                    self._submit(assignment, now)
                elif step is Step.CANCEL:
                    self._cancel(assignment, now)
                elif assignment.key in self._board.flights:
                    self._board.tell_end_again(self._board.flights[assignment.key])
        self._wake()

    def observe(self) -> Sequence[Observation]:
        """Everything that happened since the last call."""
        return self._board.take()

    def acknowledge(self, keys: Sequence[str]) -> None:
        """The ends of these attempts are stored."""
        with self._board.changed:
            for key in keys:
                flight = self._board.flights.get(key)
                if flight is not None and flight.phase is Phase.ENDED:
                    del self._board.flights[key]

    def adopt(self, assignments: Sequence[Assignment]) -> None:
        """Find out what became of attempts that an earlier runner handed over."""
        now = time.monotonic()
        with self._board.changed:
            for assignment in assignments:
                known = self._board.flights.get(assignment.key)
                if known is None:
                    self._board.flights[assignment.key] = Flight.of(assignment, Phase.ADOPTED, now)
                else:
                    known.started_told = False
                    self._board.tell_end_again(known)
        self._wake()

    def delete(self, run_dirs: Sequence[str]) -> None:
        """Delete run folders of attempts that have ended, as far as they are where such folders are, and ours."""
        with self._board.changed:
            self._errands.to_delete.extend(run_dirs)
        self._wake()

    def file_descriptors(self) -> Sequence[int]:
        """What becomes readable when :meth:`observe` has something to tell."""
        return [self._board.fileno()]

    def next_look_seconds(self) -> float | None:
        """Seconds until :meth:`observe` should be called without anything to read."""
        return _LOOK_AGAIN_SECONDS if self._board.has_unacknowledged() else None

    def status(self) -> Mapping[str, Any]:
        """Whether the worker can be reached and why not, how many jobs run and wait, and how often it was asked."""
        with self._board.changed:
            phases = [flight.phase for flight in self._board.flights.values()]
            problem, other = self._problem, self._errands.environment_problem
            reasons = {flight.key: flight.reason for flight in self._board.flights.values() if flight.reason}
        facts: dict[str, Any] = {
            "problem": str(problem) if problem is not None else other or self._errands.problem,
            "environment_differs": problem is None and other is not None,
            "reason": problem.reason.value if isinstance(problem, ConnectionFailed) else None,
            "login_needed": isinstance(problem, LoginNeeded),
            "running": phases.count(Phase.RUNNING),
            "queued": phases.count(Phase.QUEUED) + phases.count(Phase.ADOPTED),
            "waiting": phases.count(Phase.WAITING) + phases.count(Phase.UPLOADING),
            "round_trips": self.transport.round_trips,
            "reasons": dict(itertools.islice(reasons.items(), _MOST_REASONS)),
        }
        if self._reached or problem is not None:
            facts["connected"] = problem is None
        return facts

    def close(self) -> None:
        """Let go of the connection. Jobs go on running."""
        with self._board.changed:
            self._closing = True
            self._board.changed.notify_all()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        if (self._thread is None or not self._thread.is_alive()) and self._errands.wait(_CLOSE_SECONDS):
            self.transport.close()
            self._board.close()

    def _upload(self, assignment: Assignment, now: float) -> None:
        known = self._board.flights.get(assignment.key)
        if known is not None and known.phase is not Phase.ADOPTED:
            self._board.tell(known, "uploaded")
            return
        flight = Flight.of(assignment, Phase.UPLOADING, now)
        try:
            flight.prepared = self._prepare(assignment)
        except InvalidRequest as error:
            failure = Failure("error", f"worker {self.name}: {assignment.name}: {error}")
            self._board.tell(flight, "step_failed", failure=failure, may_retry=False)
            return
        if flight.kind != "command":
            flight.package = None
        self._board.flights[flight.key] = flight

    def _prepare(self, assignment: Assignment) -> Prepared:
        return prepare(assignment, self.site)

    def _submit(self, assignment: Assignment, now: float) -> None:
        flight = self._board.flights.get(assignment.key)
        if flight is None:
            # Refused at the upload, or a step that is tried again.
            if assignment.package:
                self._upload(assignment, now)
            flight = self._board.flights.get(assignment.key)
            if flight is None:
                return
        if flight.phase is Phase.UPLOADING:
            flight.phase = Phase.WAITING
        elif flight.phase in (Phase.QUEUED, Phase.RUNNING):
            self._board.tell(flight, "submitted")
        elif flight.phase is Phase.ENDED:
            self._board.tell_end_again(flight)

    def _cancel(self, assignment: Assignment, now: float) -> None:
        flight = self._board.flights.get(assignment.key)
        if flight is None:
            flight = Flight.of(assignment, Phase.ADOPTED, now)
            if not flight.run_dir:
                self._board.tell(flight, "cancelled")
                return
            self._board.flights[flight.key] = flight
        elif flight.phase is Phase.ENDED:
            self._board.tell_end_again(flight)
            self._board.tell(flight, "cancelled")
            return
        flight.cancel = True

    def _wake(self) -> None:
        with self._board.changed:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name=f"worker {self.name}", daemon=True)
                self._thread.start()
            self._errands.hurry = True
            self._board.changed.notify_all()

    def _run(self) -> None:
        while True:
            wait_seconds = self._round()
            with self._board.changed:
                if self._closing:
                    return
                if not self._errands.hurry or self._pause.until > time.monotonic():
                    self._board.changed.wait(wait_seconds)
                if self._closing:
                    return

    def _round(self) -> float | None:
        """Do what is due; return the seconds until something is due again, None for when it is asked for."""
        now = time.monotonic()
        if now < self._pause.until:
            return self._pause.until - now
        try:
            wait_seconds = self._errands.round()
        except WorkerError as error:
            return self._failed(error)
        # The edge of the thread: a fault of ours must not end it, and no job changes for it.
        except Exception as error:
            logger.exception("worker %s", self.name)
            return self._failed(WorkerError(f"worker {self.name}: {type(error).__name__}: {error}"))
        with self._board.changed:
            if self._problem is not None and self._errands.asked:
                logger.info("worker %s answers again", self.name)
            if self._errands.asked:
                self._problem, self._reached = None, True
                self._pause.succeeded()
        return wait_seconds

    def _failed(self, error: WorkerError) -> float:
        now = time.monotonic()
        with self._board.changed:
            if str(self._problem) != str(error):
                logger.warning("%s", error)
            self._problem = error
        if isinstance(error, LoginNeeded):
            self._pause.until = now + _PERSON_SECONDS
        elif isinstance(error, ConnectionFailed) and error.retry_after_seconds:
            # Its transport waits longer and longer by itself.
            self._pause.until = now + error.retry_after_seconds
        else:
            self._pause.failed(now)
        return max(0.0, self._pause.until - now)
