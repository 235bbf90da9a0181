"""The jobs that a request of the user is about, and what every request needs: moving them, ending their attempts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from towline.core.states import IN_FLIGHT, JobState
from towline.errors import IllegalMove
from towline.store.database import Transaction
from towline.store.readiness import id_list


@dataclass(frozen=True, slots=True)
class AffectedJob:
    """What a request has to know of a job."""

    id: int
    uuid: str
    index: int
    attempt: int
    flow_id: int
    state: JobState
    previous_state: JobState | None
    worker: str
    run_dir: str | None
    process_id: str | None
    #: Whether the worker has ever told of the present attempt.
    seen_on_worker: bool
    #: Its id as users see it, for messages.
    db_id: str
    #: Time of its last change.
    updated_at: float

    @property
    def begun(self) -> bool:
        """Whether the present attempt may have been handed to a worker: nothing may start in its run folder again."""
        return self.seen_on_worker or self.state in IN_FLIGHT or self.previous_state in IN_FLIGHT

    @property
    def may_be_alive(self) -> bool:
        """Whether processes of the present attempt may exist, as far as the database knows."""
        held = self.previous_state if self.state is JobState.REMOTE_ERROR else self.state
        return held in IN_FLIGHT


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What came of a request about many jobs."""

    #: Ids of the jobs that were changed.
    changed: tuple[int, ...] = ()
    #: Why the others were not, by their ids.
    refused: Mapping[int, IllegalMove] | None = None
    #: Ids of jobs that went back, or out of the queue, because a changed one runs again.
    also_changed: tuple[int, ...] = ()


_COLUMNS = (
    "id, uuid, job_index, attempt, flow_id, state, previous_state, worker, run_dir, process_id, started_at, updated_at"
)


_FLYING = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT))

#: That an attempt was once in flight is not forgotten by what users do to the job afterwards.
_PREVIOUS = f"CASE WHEN previous_state IN ({_FLYING}) AND state NOT IN ({_FLYING}) THEN previous_state ELSE state END"


def affected(transaction: Transaction, job_ids: Iterable[int]) -> list[AffectedJob]:
    """The jobs with these ids, oldest first; ids that no job has are left out."""
    rows = transaction.execute(
        f"SELECT {_COLUMNS} FROM job WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id", (id_list(job_ids),)
    ).fetchall()
    return [
        AffectedJob(
            *(job_id, uuid, index, attempt, flow_id, JobState(state)),
            None if previous is None else JobState(previous),
            *(worker, run_dir, process_id, run_dir is not None or started_at is not None, transaction.db_id(job_id)),
            updated_at,
        )
        for (
            *(job_id, uuid, index, attempt, flow_id, state, previous, worker, run_dir, process_id, started_at),
            updated_at,
        ) in rows
    ]


def move(
    transaction: Transaction, jobs: Sequence[AffectedJob], to_states: Mapping[int, JobState], note: str | None
) -> None:
    """Take `jobs` out of the runner's hands and to new states.

    Parameters
    ----------
    to_states
        ``{job id: new state}``.
    """
    for to_state in set(to_states.values()):
        transaction.execute(
            f"UPDATE job SET previous_state = {_PREVIOUS}, state = ?, updated_at = ?, lease_owner = NULL, "
            "step_attempts = 0, retry_at = NULL WHERE id IN (SELECT value FROM json_each(?))",
            (to_state.value, transaction.now, id_list(job.id for job in jobs if to_states[job.id] is to_state)),
        )
    for job in jobs:
        transaction.record(job.id, job.flow_id, job.worker, job.state, to_states[job.id], note, since=job.updated_at)


def request_cancellation(transaction: Transaction, jobs: Iterable[AffectedJob], *, delete_files: bool = False) -> None:
    """Have the runner end the present attempts of `jobs`; it confirms by deleting the row."""
    transaction.executemany(
        "INSERT INTO cancellation (job_id, attempt, uuid, job_index, worker, run_dir, process_id, requested_at, "
        "delete_files) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job_id, attempt) DO UPDATE SET "
        "delete_files = CASE WHEN excluded.delete_files = 1 THEN 1 ELSE cancellation.delete_files END",
        [
            (
                *(job.id, job.attempt, job.uuid, job.index, job.worker, job.run_dir, job.process_id),
                *(transaction.now, int(delete_files)),
            )
            for job in jobs
        ],
    )
