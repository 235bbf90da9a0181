"""What the thread of a remote worker does: in each round it ends, submits and looks, each for all jobs at once."""

import math
import secrets
import time
from collections.abc import Sequence

from towline.core.records import Failure
from towline.core.run_folder import may_be_deleted
from towline.errors import TransferFailed
from towline.workers.folder_deletion import delete_folders
from towline.workers.remote.background import Background
from towline.workers.remote.board import Board
from towline.workers.remote.environment_gate import EnvironmentGate
from towline.workers.remote.evidence import Answer, Question, evidence_script, read_evidence
from towline.workers.remote.flights import Flight, Phase
from towline.workers.remote.folders import Site
from towline.workers.remote.judging import Judge
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.remote.timing import look_seconds, question_seconds
from towline.workers.remote.work_dir import WorkDir, WorkDirs
from towline.workers.schedulers.scheduler import Outcome, Submission, Submitted
from towline.workers.transports.transport import Transport

#: Jobs in one round trip; more go in the next ones.
_MOST_JOBS = 1000
#: How long an upload waits for its submission, to go with it.
_SUBMIT_FOLLOWS_SECONDS = 0.1
#: Time to the next try of a submission that is undecided, or that the scheduler did not take now.
_UNDECIDED_SECONDS, _REFUSED_SECONDS = 5.0, 30.0
#: Between two looks while many jobs are being submitted.
_BESIDE_SECONDS = 1.0
#: Where nothing is under way yet, so many jobs go first, so that a scheduler has something to do meanwhile.
_FIRST_JOBS = 32
#: A job whose start was asked for shows itself within this time, or is started again.
_SHOWS_ITSELF_SECONDS = 5.0
_CANCEL_AGAIN_SECONDS = 15.0
#: News after a quiet time brings looks in quick succession once more.
_QUIET_SECONDS = 20.0


class Errands:
    """The rounds of one worker."""

    def __init__(
        self,
        board: Board,
        site: Site,
        transport: Transport,
        slots: int,
        gone_seconds: float | None,
        *,
        submits_beside: bool = False,
    ) -> None:
        self.slots = slots
        #: Set when something new is to be done.
        self.hurry = False
        #: Run folders that are to be deleted.
        self.to_delete: list[str] = []
        #: Whether the last round asked the worker anything.
        self.asked = False
        #: Why the scheduler does not answer.
        self.scheduler_problem: str | None = None
        self._board = board
        self._site = site
        self._transport = transport
        self._gate = EnvironmentGate(site, transport)
        self._work_dirs = WorkDirs(site.worker, site.work_dir)
        self._judge = Judge(board, site, gone_seconds)
        # A scheduler takes so long for many jobs that the first ones end meanwhile.
        self._submits_beside = submits_beside
        self._background = Background(self._handed_in)
        self._newest = self._looked_at = time.monotonic()
        self._next_look = 0.0
        self._next_question = 0.0
        self._seen = 0

    def round(self) -> float | None:
        """Do everything that is due; return the seconds until something is due again.

        Raises
        ------
        WorkerError
            The worker cannot be reached, or did not answer; nothing is forgotten.
        """
        self.hurry, self.asked = False, False
        self._cancel()
        self._submit()
        self._look()
        self._delete()
        return self._wait_seconds(time.monotonic())

    def look_at_once(self) -> None:
        """Do not wait for the time of the next look."""
        self._next_look = 0.0

    def _wait_seconds(self, now: float) -> float | None:
        with self._board.changed:
            flights = list(self._board.flights.values())
            waiting = [flight for flight in flights if flight.phase is Phase.WAITING and not flight.sending]
            waits = [flight.try_again_at - now for flight in waiting if self._free() and not self._background.busy]
            if any(flight.phase is Phase.UPLOADING and not flight.uploaded for flight in flights):
                waits.append(_SUBMIT_FOLLOWS_SECONDS)
            if any(flight.in_place or flight.sending for flight in flights):
                waits.append(self._next_look - now)
        return max(0.01, min(waits)) if waits else None

    def _free(self) -> int:
        return self.slots - sum(flight.in_place or flight.sending for flight in self._board.flights.values())

    # Submitting

    def _submit(self) -> None:
        self._background.check()
        now = time.monotonic()
        with self._board.changed:
            # Nothing is sent before it is known what became of what an earlier runner had sent.
            if self._background.busy or any(item.phase is Phase.ADOPTED for item in self._board.flights.values()):
                return
            ready = [
                flight
                for flight in self._board.flights.values()
                if flight.phase is Phase.WAITING and not flight.cancel and flight.try_again_at <= now
            ]
            ready.sort(key=lambda flight: (-flight.priority, flight.job_id))
            is_first = self._submits_beside and not any(flight.in_place for flight in self._board.flights.values())
            ready = ready[: max(0, min(self._free(), _FIRST_JOBS if is_first else _MOST_JOBS))]
            alone = [
                flight
                for flight in self._board.flights.values()
                if flight.phase is Phase.UPLOADING
                and not flight.uploaded
                and now - flight.since > _SUBMIT_FOLLOWS_SECONDS
            ][:_MOST_JOBS]
        if alone:
            self._send(alone, submit=False)
        ready = self._without_held(ready)
        if ready and self._submits_beside:
            self._hand_in(ready)
        elif ready:
            self._send(ready, submit=True)

    def _hand_in(self, flights: Sequence[Flight]) -> None:
        with self._board.changed:
            for flight in flights:
                flight.sending = True
        now = time.monotonic()
        self._newest, self._next_look = now, max(self._next_look, now + _BESIDE_SECONDS)
        self._background.start(lambda: self._send(flights, submit=True), f"worker {self._site.worker}: submission")

    def _handed_in(self) -> None:
        with self._board.changed:
            for flight in self._board.flights.values():
                flight.sending = False
            self.hurry = True
            self._board.changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait for a submission that is under way; return whether none is any more."""
        self._background.wait(seconds)
        return not self._background.busy

    @property
    def problem(self) -> str | None:
        """What is wrong there, although it answers."""
        return self._work_dirs.problem or self.scheduler_problem

    @property
    def environment_problem(self) -> str | None:
        """Why Python jobs wait for another environment."""
        return self._gate.problem

    def _without_held(self, ready: list[Flight]) -> list[Flight]:
        """Those whose Python there is one that can read them; the others wait."""
        held = self._gate.held(ready)
        if not held:
            return ready
        self.asked = True
        with self._board.changed:
            for flight in ready:
                if flight.key in held:
                    flight.reason, flight.try_again_at = held[flight.key]
        return [flight for flight in ready if flight.key not in held]

    def _send(self, flights: Sequence[Flight], *, submit: bool) -> None:
        # A round trip for each folder: more than one only where jobs have a work_dir of their own.
        for folder, those in self._work_dirs.apart(flights):
            try:
                self._send_once(those, folder, submit=submit)
            except TransferFailed as error:
                self._find_culprit(those, folder, error, submit=submit)

    def _find_culprit(self, flights: Sequence[Flight], folder: WorkDir, error: TransferFailed, *, submit: bool) -> None:
        """One job whose files cannot be written must not hold up the others; a full disk holds up all."""
        half = len(flights) // 2
        failed = []
        for part in (flights[:half], flights[half:]) if half else ():
            try:
                self._send_once(part, folder, submit=submit)
            except TransferFailed:
                failed.append(part)
        if half and len(failed) == 1:
            self._find_culprit(failed[0], folder, error, submit=submit)
        elif not half or failed:
            with self._board.changed:
                for flight in flights:
                    self._board.tell(flight, "step_failed", failure=Failure("error", str(error)))

    def _send_once(self, flights: Sequence[Flight], folder: WorkDir, *, submit: bool) -> None:
        submissions = [Submission(flight.run_dir, flight.mark) for flight in flights]
        then = folder.marking + (self._site.queue.submit_command(submissions) if submit else "")
        trees = [flight.prepared.tree for flight in flights if flight.prepared is not None and not flight.uploaded]
        answer = self._transport.send(folder.path, trees, then=then)
        self.asked = True
        came = self._site.queue.read_submissions(answer.stdout.decode(errors="replace"), submissions) if submit else ()
        now = time.monotonic()
        with self._board.changed:
            for flight in flights:
                if not flight.uploaded and flight.prepared is not None:
                    flight.uploaded = True
                    self._board.tell(flight, "uploaded")
            refused = [self._submitted(flight, one, now) for flight, one in zip(flights, came, strict=False)]
        if submit:
            self.scheduler_problem = next((text for text in refused if text), None)
            self._newest = now
            self._next_look = now + look_seconds(0)

    def _submitted(self, flight: Flight, came: Submitted, now: float) -> str | None:
        """Take in what came of a submission; return why the scheduler does not take it now."""
        if flight.phase is not Phase.WAITING:
            return None  # a look has seen it meanwhile
        if came.outcome is Outcome.REFUSED and came.refusal is not None:
            said = f"{self._site.queue.name}: {came.refusal.message}; {came.refusal.remedy}".rstrip("; ")
            if came.refusal.may_retry:
                flight.try_again_at, flight.uploaded, flight.reason = now + _REFUSED_SECONDS, False, said
                return said
            failure = Failure("error", f"worker {self._site.worker} did not take the job: {said}")
            self._board.tell(flight, "step_failed", failure=failure, may_retry=False)
            return None
        if came.outcome is Outcome.UNDECIDED:
            flight.try_again_at, flight.reason = now + _UNDECIDED_SECONDS, came.message
            return f"{self._site.queue.name}: {came.message}"
        flight.phase, flight.since, flight.reason = Phase.QUEUED, now, None
        flight.queue_id, flight.submitted_at = came.queue_id or flight.queue_id, came.submitted_at
        self._board.tell(flight, "submitted")
        return None

    # Looking

    def _look(self) -> None:
        now = time.monotonic()
        with self._board.changed:
            flights = [flight for flight in self._board.flights.values() if flight.in_place or flight.sending]
            unseen = any(flight.phase is Phase.ADOPTED for flight in flights)
            asked_about = [flight for flight in flights if flight.queued_job is not None]
        if not flights or (now < self._next_look and not unseen):
            return
        ask = bool(asked_about) and now >= self._next_question
        answer = self._read(flights, status_of=asked_about if ask else ())
        flights = [flight for flight in flights if flight.key not in answer.lost]
        changed = self._judge.seen(flights, answer.evidence)
        if ask and answer.statuses is not None:
            self.scheduler_problem = answer.statuses.problem
            known = [flight for flight in asked_about if flight.key not in answer.lost]
            changed |= self._judge.asked(known, answer.statuses)
            self._next_question = time.monotonic() + question_seconds(time.monotonic() - self._newest)
        doubtful = [flight for flight in self._judge.doubtful() if flight.key not in answer.lost]
        if doubtful:
            told = self._read(doubtful, accounting_of=doubtful)
            changed |= self._judge.accounted(doubtful, told.statuses, told.evidence)
        now = time.monotonic()
        self._start_again(now)
        if changed and now - self._newest > _QUIET_SECONDS:
            # What has just started may end soon; but a stream of starts and ends must not be followed one by one.
            self._newest = now
            self._next_question = min(self._next_question, now + question_seconds(0))
        wait_seconds = look_seconds(now - self._newest, self._last_end_seconds(flights, now))
        # It takes the longer the more jobs are submitted, and the looks would grow with their number.
        self._next_look = now + (max(wait_seconds, _BESIDE_SECONDS) if self._background.busy else wait_seconds)
        self._looked_at = now

    def _last_end_seconds(self, flights: Sequence[Flight], now: float) -> float:
        """When the last job will have ended, if they go on ending as since the last look."""
        with self._board.changed:
            left = sum(flight.in_place for flight in self._board.flights.values())
        ended = sum(flight.phase is Phase.ENDED for flight in flights)
        return left * (now - self._looked_at) / ended if ended else math.inf

    def _start_again(self, now: float) -> None:
        with self._board.changed:
            for flight in self._board.flights.values():
                lost = flight.phase is Phase.QUEUED and flight.queue_id is None
                if lost and now - flight.since > _SHOWS_ITSELF_SECONDS:
                    flight.phase = Phase.WAITING

    def _read(
        self,
        flights: Sequence[Flight],
        *,
        status_of: Sequence[Flight] = (),
        accounting_of: Sequence[Flight] = (),
        before: str = "",
    ) -> Answer:
        """Look into run folders, and ask the scheduler in the same round trip."""
        self.asked = True
        token = f"@towline@ files {secrets.token_hex(8)}"
        questions = [
            Question(
                flight.key,
                flight.run_dir,
                flight.resources,
                whole=bool(accounting_of),
                with_job=flight.kind in ("command", "") and flight.package is None,
                submitted=flight.queue_id is not None,
                started=flight.started_told,
            )
            for flight in flights
        ]
        queue = self._site.queue
        status_jobs = [job for flight in status_of if (job := flight.queued_job) is not None]
        accounting_jobs = [job for flight in accounting_of if (job := flight.queued_job) is not None]
        parts = [self._work_dirs.telling(flights), before]
        if status_jobs:
            parts.append(f"({queue.status_command(status_jobs)})\n")
        if accounting_jobs:
            parts.append(f"({queue.accounting_command(accounting_jobs)})\n")
        # Results may be large: no limit but that bytes move.
        script = "".join(parts) + evidence_script(questions, token)
        output = self._transport.run(script, timeout_seconds=math.inf).stdout
        said = output.partition(token.encode())[0].decode(errors="replace")
        statuses = None
        if status_jobs:
            statuses = queue.read_status(said, status_jobs)
        elif accounting_jobs:
            statuses = queue.read_accounting(said, accounting_jobs)
        evidence = read_evidence(output, questions, token) or {}
        return Answer(said, evidence, statuses, self._work_dirs.lost(said, flights, evidence))

    def _delete(self) -> None:
        with self._board.changed:
            paths = [path for path in self.to_delete if may_be_deleted(path, self._site.work_dir)]
        if paths:
            self.asked = True
            delete_folders(self._transport, paths)
        with self._board.changed:
            # What came meanwhile is for the next round; what cannot be a run folder stays where it is.
            possible = [path for path in self.to_delete if may_be_deleted(path, self._site.work_dir)]
            self.to_delete = [path for path in possible if path not in paths]

    # Ending

    def _cancel(self) -> None:
        now = time.monotonic()
        with self._board.changed:
            flights = [flight for flight in self._board.flights.values() if not flight.sending]
            asked = [flight for flight in flights if flight.cancel and flight.told is None]
            for flight in [item for item in asked if not item.uploaded and item.phase in _NOT_THERE]:
                self._board.tell(flight, "cancelled")
            due = [
                flight
                for flight in asked
                if flight.key in self._board.flights
                and (flight.cancel_sent_at is None or now - flight.cancel_sent_at > _CANCEL_AGAIN_SECONDS)
            ]
            queue_ids = [flight.queue_id for flight in due if flight.queue_id is not None]
        if not due:
            return
        before = self._work_dirs.claims(due)
        if queue_ids:
            before += f"({self._site.queue.cancel_command(queue_ids)})\n"
            if isinstance(self._site.queue, ShellQueue):
                jobs = [job for flight in due if (job := flight.queued_job) is not None]
                before += f"({self._site.queue.orphans_command(jobs)})\n"
        answer = self._read(due, before=before)
        problem = self._site.queue.read_cancellation(answer.said) if queue_ids else None
        now = time.monotonic()
        with self._board.changed:
            for flight in due:
                evidence = answer.evidence.get(flight.key)
                known = flight.queue_id is not None
                if evidence is not None and evidence.queue_id is not None:
                    flight.queue_id, flight.submitted_at = evidence.queue_id
                told_scheduler = known or flight.queue_id is None
                flight.cancel_sent_at = now if told_scheduler and problem is None else None
                if evidence is not None and evidence.never and told_scheduler and problem is None:
                    self._board.tell(flight, "cancelled")
                elif flight.phase in (*_NOT_THERE, Phase.ADOPTED):
                    flight.phase = Phase.QUEUED
        if problem is not None:
            self.scheduler_problem = problem
        self._newest, self._next_look, self._next_question = now, now, now


_NOT_THERE = (Phase.UPLOADING, Phase.WAITING)
