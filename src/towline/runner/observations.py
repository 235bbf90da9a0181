"""What the runner does about what its workers saw; one transaction for everything that came in together."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from towline.core.ports import Outputs, Step
from towline.core.records import Failure, Observation, Result
from towline.core.states import IN_FLIGHT, JobState
from towline.runner.held import Attempts, Held
from towline.runner.job_retries import continued
from towline.runner.results import read_end
from towline.runner.setup import Setup
from towline.store.completion import Completion, complete
from towline.store.database import Transaction
from towline.store.jobs import Move, apply_moves, states_of

logger = logging.getLogger(__name__)

#: Which step a job in this state was about to make, or was making.
_STEP_FROM = {
    JobState.CHECKED_OUT: Step.UPLOAD,
    JobState.UPLOADED: Step.SUBMIT,
    JobState.SUBMITTED: Step.SUBMIT,
    JobState.RUN_FINISHED: Step.DOWNLOAD,
}


@dataclass(slots=True)
class Digest:
    """What :func:`digest` did, for the runner to act on after the commit."""

    #: Ends that are stored: the worker may forget them.
    ended: list[str] = field(default_factory=list)
    #: Attempts that the runner does not hold any more.
    released: list[str] = field(default_factory=list)
    #: Whether a job waits now for the time of its next attempt.
    delayed: bool = False


class Digestion:
    """Turns observations into moves and completions inside one transaction."""

    def __init__(
        self,
        transaction: Transaction,
        attempts: Attempts,
        states: dict[int, JobState],
        setup: Setup,
    ) -> None:
        self._transaction = transaction
        self._attempts = attempts
        self._states = states
        self._setup = setup
        self.moves: list[Move] = []
        self.completions: list[Completion] = []
        self.digest = Digest()

    def add(self, held: Held, seen: Sequence[Observation], result: Result | Failure | None) -> None:
        """Take in everything that was seen of one attempt, in its order.

        Parameters
        ----------
        result
            When it ended: its result, or why the job store did not take it.
        """
        key = held.job.key
        end = next((observation for observation in seen if observation.event == "ended"), None)
        state = self._states.get(held.job.id)
        if state not in IN_FLIGHT:
            # Stopped, rerun or deleted meanwhile: what becomes of the process concerns its cancellation only.
            if end is not None:
                self.digest.ended.append(key)
                self.digest.released.append(key)
            return
        if end is not None and end.exit is not None and isinstance(result, Result):
            process_id = next((item.process_id for item in seen if item.process_id is not None), None)
            completion = Completion(held.job, state, result, end.exit, _run_dir(held, end), process_id)
            completion = continued(completion, self._setup, self._transaction.now)
            self.completions.append(completion)
            if completion.continuation is not None and completion.continuation.due is not None:
                self.digest.delayed = True
            self.digest.ended.append(key)
            self.digest.released.append(key)
        elif isinstance(result, Failure):
            self._end_was_not_stored(held, result)
        else:
            self._move(held, state, seen)

    def finish(self) -> Digest:
        """Write it all."""
        apply_moves(self._transaction, self.moves)
        complete(self._transaction, self.completions, self._setup.outputs_of)
        return self.digest

    def _move(self, held: Held, state: JobState, seen: Sequence[Observation]) -> None:
        path: list[tuple[JobState, float | None]] = []
        columns: dict[str, object] = {}
        note = None
        for observation in seen:
            current = path[-1][0] if path else state
            if observation.event == "step_failed":
                target, note, changed = self._step_failed(held, current, observation)
            else:
                target, changed = self._target(held, observation), _columns(held, observation)
            columns |= changed
            if target is not None and _ORDER.get(target, 99) > _ORDER[current]:
                path.append((target, observation.at))
            if observation.event == "returned":
                note = "it had not started, so it is claimed again"
                self.digest.released.append(held.job.key)
            if observation.event in ("step_failed", "returned"):
                break  # whatever else was told with it is about a step that did not take place
        if path:
            self.moves.append(Move(held.job, state, tuple(path), note, columns))
        elif columns:
            assignments = ", ".join(f"{column} = ?" for column in columns)
            self._transaction.execute(f"UPDATE job SET {assignments} WHERE id = ?", (*columns.values(), held.job.id))

    def _target(self, held: Held, observation: Observation) -> JobState | None:
        target = _TARGETS.get(observation.event)
        place = self._setup.places.get(held.job.worker)
        if target is not None and place is not None and place.batches is not None:
            return _BATCH_STATES.get(target, target)
        return target

    def _step_failed(
        self, held: Held, state: JobState, observation: Observation
    ) -> tuple[JobState | None, str | None, dict[str, object]]:
        failure = observation.failure or Failure("error", "the worker gave no reason")
        held.failed_tries += 1
        now = self._transaction.now
        due = self._setup.retries.next_try(held.failed_tries, now) if observation.may_retry else None
        self._transaction.execute(
            "INSERT INTO job_outcome (job_id, failure) VALUES (?, ?) "
            "ON CONFLICT (job_id) DO UPDATE SET failure = excluded.failure",
            (held.job.id, orjson.dumps(failure)),
        )
        if due is None:
            self.digest.released.append(held.job.key)
            logger.error("job %s goes to REMOTE_ERROR: %s", self._transaction.db_id(held.job.id), failure.message)
            columns: dict[str, object] = {"lease_owner": None, "retry_at": None, "step_attempts": held.failed_tries}
            return JobState.REMOTE_ERROR, failure.message, {**columns, "reason": failure.reason}
        logger.warning(
            "job %s: %s; next try in %.0f s", self._transaction.db_id(held.job.id), failure.message, due - now
        )
        step = _STEP_FROM.get(state, Step.SUBMIT)
        self._attempts.retries.append((due, held.job.key, step))
        self._transaction.note(held.job.id, f"try {held.failed_tries} failed: {failure.message}")
        return None, None, {"retry_at": due, "step_attempts": held.failed_tries}

    def _end_was_not_stored(self, held: Held, failure: Failure) -> None:
        """The job ended, but its output could not be put away: DOWNLOADED until that succeeds."""
        state = self._states[held.job.id]
        at = self._transaction.now
        seen = Observation(held.job.key, "step_failed", at, failure=failure)
        target, note, columns = self._step_failed(held, JobState.RUN_FINISHED, seen)
        path = [] if state is JobState.DOWNLOADED else [(JobState.DOWNLOADED, None)]
        if target is not None:
            path.append((target, None))
        if path:
            self.moves.append(Move(held.job, state, tuple(path), note, columns))


def _columns(held: Held, observation: Observation) -> dict[str, object]:
    """What an observation says about the job beside its state."""
    if observation.event == "started":
        return {"started_at": observation.at, "process_id": observation.process_id}
    if observation.event == "uploaded" and held.assignment is not None:
        return {"run_dir": held.assignment.run_dir}
    if observation.event == "submitted":
        return {"process_id": observation.process_id}
    return {"lease_owner": None} if observation.event == "returned" else {}


_TARGETS = {
    "uploaded": JobState.UPLOADED,
    "submitted": JobState.SUBMITTED,
    "started": JobState.RUNNING,
    "returned": JobState.READY,
}

_BATCH_STATES = {JobState.SUBMITTED: JobState.BATCH_SUBMITTED, JobState.RUNNING: JobState.BATCH_RUNNING}

#: News may come late or twice; a job never goes back because of it.
_ORDER = {
    JobState.CHECKED_OUT: 1,
    JobState.UPLOADED: 2,
    JobState.SUBMITTED: 3,
    JobState.RUNNING: 4,
    JobState.RUN_FINISHED: 5,
    JobState.DOWNLOADED: 6,
    JobState.BATCH_SUBMITTED: 3,
    JobState.BATCH_RUNNING: 4,
}


def results_of(
    attempts: Attempts, seen: dict[str, list[Observation]], outputs_of: Callable[[str | None], Outputs]
) -> dict[str, Result | Failure]:
    """Results of the attempts that ended. A job store outside the queue's database takes its outputs here.

    Storing an output again replaces it, so a runner that ends before its commit does no harm.
    """
    results: dict[str, Result | Failure] = {}
    for key, observations in seen.items():
        held = attempts.by_key[key]
        for end in observations:
            if end.event == "ended" and end.exit is not None:
                result = read_end(Path(_run_dir(held, end) or ""), end)
                outputs = outputs_of(held.job.jobstore)
                results[key] = result if outputs.transactional else _store_outside(outputs, result)
    return results


def _store_outside(outputs: Outputs, result: Result) -> Result | Failure:
    if result.output is None or result.failure is not None:
        return result
    try:
        outputs.store(None, result.output, result.additional)
    # Any store of maggma may stand here, with the errors of its own driver; the output is kept and tried again.
    except Exception as error:
        return Failure("output", f"the job store did not take the output: {type(error).__name__}: {error}")
    return result


def digest(
    transaction: Transaction,
    attempts: Attempts,
    seen: dict[str, list[Observation]],
    results: dict[str, Result | Failure],
    setup: Setup,
) -> Digest:
    """Write everything that was seen; all of `seen` is about attempts that the runner holds."""
    held = [attempts.by_key[key] for key in seen]
    digestion = Digestion(transaction, attempts, states_of(transaction, [item.job for item in held]), setup)
    for item in held:
        digestion.add(item, seen[item.job.key], results.get(item.job.key))
    return digestion.finish()


def _run_dir(held: Held, end: Observation) -> str | None:
    """The run folder; a pooled job has none. The results of commands and of other machines come without a file too."""
    if end.result is not None and end.tail is None and held.job.payload_kind != "command":
        return None
    return held.assignment.run_dir if held.assignment is not None else held.job.run_dir
