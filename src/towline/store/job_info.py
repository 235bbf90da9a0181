"""Jobs and flows as users see them; fields are named as in jobflow-remote."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from towline.core.records import Failure
from towline.core.states import FlowState, JobState


@dataclass(frozen=True, slots=True)
class RemoteInfo:
    """What the runner knows of a job on its worker."""

    #: Failed tries of the present step.
    step_attempts: int
    #: Process or scheduler id.
    process_id: str | None
    #: When the next try is due.
    retry_time_limit: datetime | None
    #: What failed, when an action of the runner did. Loaded with the details, as what follows but one.
    error: str | None = None
    #: The ends of what a job that failed had printed.
    queue_out: str | None = None
    queue_err: str | None = None
    #: What its scheduler would say of it: QUEUED, RUNNING, DONE, FAILED; None before it is there.
    queue_state: str | None = None


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job. Times are aware and in UTC. Fields from `parents` on are loaded only with details."""

    db_id: str
    uuid: str
    index: int
    attempt: int
    name: str
    state: JobState
    previous_state: JobState | None
    worker: str
    priority: int
    #: What kind of work it is: "jobflow", "command".
    payload_kind: str
    flow_id: str
    created_on: datetime
    updated_on: datetime
    start_time: datetime | None
    end_time: datetime | None
    run_dir: str | None
    exit_code: int | None
    exit_signal: int | None
    #: Why it failed, in a word: error, exit_code, signal, timeout, ...
    reason: str | None
    #: Number of parents that have not finished.
    missing: int
    #: The runner that holds the job.
    lock_id: str | None
    #: Since when that runner holds it, as of its last move.
    lock_time: datetime | None
    remote: RemoteInfo
    #: Id of its row.
    id: int
    #: Uuids of its parents.
    parents: tuple[str, ...] = ()
    failure: Failure | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    stored_data: Mapping[str, Any] | None = None
    #: Uuids of the flows that contain it, innermost first.
    hosts: tuple[str, ...] = ()
    resources: Mapping[str, Any] | None = None
    exec_config: str | Mapping[str, Any] | None = None
    #: Worker for the next attempt, when another one was chosen after this one had begun.
    next_worker: str | None = None
    #: Folder of its own for its run folders, instead of the worker's work_dir; and that of the next attempt.
    work_dir: str | None = None
    next_work_dir: str | None = None
    #: How the process ended, and with which versions of what it ran.
    exit_record: Mapping[str, Any] | None = None
    environment: Mapping[str, Any] | None = None

    @property
    def is_locked(self) -> bool:
        """Whether a runner holds the job."""
        return self.lock_id is not None

    @property
    def error(self) -> str | None:
        """What went wrong, with the traceback or the end of stderr."""
        if self.failure is None:
            return None
        return "\n".join(filter(None, [self.failure.message, self.failure.details]))

    @property
    def run_time(self) -> float | None:
        """Seconds that the process ran."""
        if self.start_time is None or self.end_time is None:
            return None
        return (self.end_time - self.start_time).total_seconds()

    @property
    def estimated_run_time(self) -> float | None:
        """Seconds that the process has been running so far."""
        if self.start_time is None or self.end_time is not None:
            return None
        return (datetime.now(UTC) - self.start_time).total_seconds()


@dataclass(frozen=True, slots=True)
class FlowInfo:
    """A flow. Fields from `db_ids` on are about its jobs, in one order, and loaded only with them."""

    #: The smallest id of its jobs, which is shown for it.
    db_id: str
    flow_id: str
    name: str
    state: FlowState
    created_on: datetime
    updated_on: datetime
    #: How many of its jobs are in each state; states without jobs are missing.
    state_counts: Mapping[JobState, int]
    jobstore: str | None
    flow_metadata: Mapping[str, Any]
    #: Id of its row.
    id: int
    #: Why it needs somebody, in sentences: failed actions and jobs, steps that wait for a person, ends that are not
    #: confirmed.
    attention: tuple[str, ...] = ()
    db_ids: tuple[str, ...] = ()
    job_ids: tuple[str, ...] = ()
    job_indexes: tuple[int, ...] = ()
    job_names: tuple[str, ...] = ()
    job_states: tuple[JobState, ...] = ()
    workers: tuple[str, ...] = ()
    #: Of each job: the uuids of its parents.
    parents: tuple[tuple[str, ...], ...] = ()
    hosts: tuple[tuple[str, ...], ...] = ()
    jobs_info: tuple[JobInfo, ...] = ()

    @property
    def job_count(self) -> int:
        """Number of its jobs."""
        return sum(self.state_counts.values())

    @property
    def needs_attention(self) -> bool:
        """Whether something in it does not go on without somebody: `attention` says what."""
        return bool(self.attention)

    @property
    def ids_mapping(self) -> dict[str, dict[int, str]]:
        """``{uuid: {index: db_id}}``."""
        mapping: dict[str, dict[int, str]] = {}
        for uuid, index, db_id in zip(self.job_ids, self.job_indexes, self.db_ids, strict=True):
            mapping.setdefault(uuid, {})[index] = db_id
        return mapping

    def iter_job_prop(self) -> Iterator[dict[str, Any]]:
        """The properties of each job as a mapping."""
        for position, db_id in enumerate(self.db_ids):
            yield {
                "db_id": db_id,
                "uuid": self.job_ids[position],
                "index": self.job_indexes[position],
                "name": self.job_names[position],
                "state": self.job_states[position],
                "worker": self.workers[position],
                "parents": list(self.parents[position]),
                "hosts": list(self.hosts[position]),
            }


#: Columns of :func:`job_info`, from `job` joined with `flow`.
JOB_COLUMNS = (
    "job.id, job.uuid, job.job_index, job.attempt, job.name, job.state, job.previous_state, job.worker, job.priority, "
    "job.payload_kind, flow.uuid, job.created_at, job.updated_at, job.started_at, job.ended_at, job.run_dir, "
    "job.exit_code, job.exit_signal, job.reason, job.missing, job.lease_owner, job.step_attempts, job.process_id, "
    "job.retry_at"
)


def job_info(row: Sequence[Any], prefix: str) -> JobInfo:
    """A job from the columns of :data:`JOB_COLUMNS`."""
    (*front, previous_state, worker, priority, kind, flow_id) = row[:11]
    (created, updated, started, ended, run_dir, exit_code, exit_signal, reason, missing, owner) = row[11:21]
    job_id, uuid, index, attempt, name, state = front
    step_attempts, process_id, retry_at = row[21:24]
    return JobInfo(
        db_id=f"{prefix}{job_id}",
        uuid=uuid,
        index=index,
        attempt=attempt,
        name=name,
        state=JobState(state),
        previous_state=None if previous_state is None else JobState(previous_state),
        worker=worker,
        priority=priority,
        payload_kind=kind,
        flow_id=flow_id,
        created_on=datetime.fromtimestamp(created, UTC),
        updated_on=datetime.fromtimestamp(updated, UTC),
        start_time=moment(started),
        end_time=moment(ended),
        run_dir=run_dir,
        exit_code=exit_code,
        exit_signal=exit_signal,
        reason=reason,
        missing=missing,
        lock_id=None if owner is None else str(owner),
        lock_time=None if owner is None else datetime.fromtimestamp(updated, UTC),
        remote=RemoteInfo(
            step_attempts, process_id, moment(retry_at), queue_state=_queue_state(JobState(state), reason, ended)
        ),
        id=job_id,
    )


_IN_A_QUEUE = {
    JobState.SUBMITTED: "QUEUED",
    JobState.BATCH_SUBMITTED: "QUEUED",
    JobState.RUNNING: "RUNNING",
    JobState.BATCH_RUNNING: "RUNNING",
}


def _queue_state(state: JobState, reason: str | None, ended_at: float | None) -> str | None:
    """What a scheduler would say: a job whose Python function failed is DONE there as well as one that succeeded."""
    if ended_at is not None:
        return "DONE" if reason in (None, "error", "output", "rejected") else "FAILED"
    return _IN_A_QUEUE.get(state)


def moment(seconds: float | None) -> datetime | None:
    """A time from the database."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
