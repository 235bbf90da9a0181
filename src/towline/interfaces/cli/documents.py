"""Jobs and flows as JSON, with keys that stay the same, and the columns of their tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from towline.errors import InvalidRequest
from towline.interfaces.cli.display import duration, local_time, state_text
from towline.interfaces.cli.tables import Column, Painted
from towline.operations.job_lists import JobInfo

if TYPE_CHECKING:
    # Lists of jobs need nothing that is about flows.
    from towline.operations.flows import FlowInfo
    from towline.operations.job_documents import JobDoc
    from towline.operations.jobs import Changed


def job_document(job: JobInfo) -> dict[str, Any]:
    """What a list says of a job."""
    return {
        "db_id": job.db_id,
        "uuid": job.uuid,
        "index": job.index,
        "attempt": job.attempt,
        "name": job.name,
        "state": job.state.value,
        "previous_state": job.previous_state and job.previous_state.value,
        "worker": job.worker,
        "priority": job.priority,
        "payload_kind": job.payload_kind,
        "flow_id": job.flow_id,
        "created_on": job.created_on,
        "updated_on": job.updated_on,
        "start_time": job.start_time,
        "end_time": job.end_time,
        "run_time_seconds": job.run_time,
        "run_dir": job.run_dir,
        "exit_code": job.exit_code,
        "exit_signal": job.exit_signal,
        "reason": job.reason,
        "unfinished_parents": job.missing,
        "lock_id": job.lock_id,
        "lock_time": job.lock_time,
        "remote": {
            "process_id": job.remote.process_id,
            "step_attempts": job.remote.step_attempts,
            "retry_time_limit": job.remote.retry_time_limit,
            "error": job.remote.error,
            "queue_state": job.remote.queue_state,
            "queue_out": job.remote.queue_out,
            "queue_err": job.remote.queue_err,
        },
    }


def detailed_job_document(job: JobInfo) -> dict[str, Any]:
    """Everything about a job that is not its history."""
    return {
        **job_document(job),
        "error": job.error,
        "parents": list(job.parents),
        "metadata": job.metadata,
        "stored_data": job.stored_data,
        "hosts": list(job.hosts),
        "resources": job.resources,
        "exec_config": job.exec_config,
        "next_worker": job.next_worker,
        "work_dir": job.work_dir,
        "next_work_dir": job.next_work_dir,
        "exit_record": job.exit_record,
        "environment": job.environment,
    }


def dumped_document(document: "JobDoc") -> dict[str, Any]:
    """Everything about a job, with the work itself."""
    return {**detailed_job_document(document.info), "job": document.payload}


def flow_document(flow: "FlowInfo") -> dict[str, Any]:
    """What a list says of a flow."""
    return {
        "db_id": flow.db_id,
        "flow_id": flow.flow_id,
        "name": flow.name,
        "state": flow.state.value,
        "needs_attention": flow.needs_attention,
        "attention": list(flow.attention),
        "jobs": flow.job_count,
        "state_counts": {state.value: count for state, count in flow.state_counts.items()},
        "created_on": flow.created_on,
        "updated_on": flow.updated_on,
        "jobstore": flow.jobstore,
        "metadata": flow.flow_metadata,
    }


def changed_document(changed: "Changed") -> dict[str, Any]:
    """What came of a request about jobs."""
    return {
        "changed": list(changed.changed),
        "refused": dict(changed.refused),
        "also_changed": list(changed.also_changed),
        "deleted_folders": list(changed.deleted_folders),
    }


def _seconds_running(job: JobInfo) -> str:
    return duration(job.run_time if job.run_time is not None else job.estimated_run_time)


_JOB_COLUMNS: Mapping[str, Column] = {
    "db_id": Column("DB id", lambda job: job.db_id, cut=True),
    "name": Column("Name", lambda job: job.name),
    "state": Column(
        "State", lambda job: state_text(job.state), cut=True, short=lambda job: state_text(job.state, short=True)
    ),
    # The beginning of a uuid is one that commands accept.
    "job_id": Column(
        "Job id (index)",
        lambda job: f"{job.uuid} ({job.index})",
        cut=True,
        short=lambda job: f"{job.uuid[:8]} ({job.index})",
    ),
    "worker": Column("Worker", lambda job: job.worker, cut=True),
    "last_updated": Column("Last updated", lambda job: local_time(job.updated_on), cut=True),
    "queue_id": Column("Queue id", lambda job: job.remote.process_id, cut=True),
    "run_time": Column("Run time", _seconds_running, cut=True, right=True),
    "retry_time": Column("Retry time", lambda job: local_time(job.remote.retry_time_limit), cut=True),
    "prev_state": Column(
        "Previous state",
        lambda job: job.previous_state and state_text(job.previous_state),
        cut=True,
        short=lambda job: job.previous_state and state_text(job.previous_state, short=True),
    ),
    "locked": Column("Locked", lambda job: "yes" if job.is_locked else "", cut=True),
    "lock_id": Column("Held by runner", lambda job: job.lock_id, cut=True),
    "lock_time": Column("Held since", lambda job: local_time(job.lock_time), cut=True),
    "metadata": Column("Metadata", lambda job: dict(job.metadata) or None),
    "uuid": Column("Job id", lambda job: job.uuid, cut=True, short=lambda job: job.uuid[:8]),
    "index": Column("Index", lambda job: job.index, right=True),
    "attempt": Column("Attempt", lambda job: job.attempt, right=True),
    "flow_id": Column("Flow id", lambda job: job.flow_id, cut=True, short=lambda job: job.flow_id[:8]),
    "priority": Column("Priority", lambda job: job.priority, right=True),
    "created_on": Column("Created", lambda job: local_time(job.created_on), cut=True),
    "start_time": Column("Started", lambda job: local_time(job.start_time), cut=True),
    "end_time": Column("Ended", lambda job: local_time(job.end_time), cut=True),
    "run_dir": Column("Run folder", lambda job: job.run_dir),
    "exit_code": Column("Exit code", lambda job: job.exit_code, right=True),
    "reason": Column("Reason", lambda job: job.reason),
    "error": Column("Error", lambda job: job.failure and job.failure.message),
}

#: Columns that need what lists do not read otherwise.
_DETAILED = {"metadata", "error"}

_USUAL = ("db_id", "name", "state", "job_id", "worker", "last_updated")
_FIRST_DETAILS = ("queue_id", "run_time", "retry_time", "prev_state", "locked")
_SECOND_DETAILS = ("queue_id", "run_time", "retry_time", "prev_state", "lock_id", "lock_time", "metadata")


def job_column_names(chosen: str | None, verbosity: int, settings: Sequence[str] | None = None) -> list[str]:
    """Names of the columns of a table of jobs.

    Parameters
    ----------
    chosen
        Names with commas between them, from the command line.
    settings
        What the user's settings say.

    Raises
    ------
    InvalidRequest
        There is no such column, or `chosen` is given with a verbosity.
    """
    if chosen is None:
        more = ((), _FIRST_DETAILS, _SECOND_DETAILS)[min(verbosity, 2)]
        return [*(settings or _USUAL), *more]
    if verbosity:
        raise InvalidRequest("--output chooses the columns and --verbosity adds some; use one of both")
    names = [name.strip() for name in chosen.split(",") if name.strip()]
    unknown = [name for name in names if name not in _JOB_COLUMNS]
    if unknown or not names:
        wrong = ", ".join(unknown) or repr(chosen)
        raise InvalidRequest(f"no column is called {wrong}; there are {', '.join(_JOB_COLUMNS)}")
    return names


def job_columns(names: Sequence[str], stored_data_keys: Sequence[str] = ()) -> list[Column]:
    """Columns of a table of jobs."""
    columns = [_JOB_COLUMNS[name] for name in names]
    return columns + [
        Column(key, lambda job, key=key: (job.stored_data or {}).get(key))  # type: ignore[misc]
        for key in stored_data_keys
    ]


def needs_details(names: Sequence[str]) -> bool:
    """Whether a table with these columns needs the details of the jobs."""
    return not _DETAILED.isdisjoint(names)


def flow_columns(verbosity: int) -> list[Column]:
    """Columns of a table of flows."""
    columns = [
        Column("DB id", lambda flow: flow.db_id, cut=True),
        Column("Name", lambda flow: flow.name),
        Column("State", _flow_state, cut=True),
        Column("Flow id", lambda flow: flow.flow_id, cut=True, short=lambda flow: flow.flow_id[:8]),
        Column("Jobs", lambda flow: flow.job_count, right=True),
        Column("Last updated", lambda flow: local_time(flow.updated_on), cut=True),
    ]
    if verbosity:
        columns += [
            Column("Workers", lambda flow: ", ".join(sorted(set(flow.workers)))),
            Column("Job states", _state_counts),
            Column("Metadata", lambda flow: dict(flow.flow_metadata) or None),
        ]
    return columns


def _flow_state(flow: "FlowInfo") -> Any:
    text = state_text(flow.state)
    # An action of the runner failed: the flow goes on, but not that job.
    is_stuck = flow.needs_attention and flow.state.value == "RUNNING"
    return text + Painted(" !", "magenta", bold=True) if is_stuck else text


def _state_counts(flow: "FlowInfo") -> str:
    return " ".join(f"{state.short_code}:{count}" for state, count in flow.state_counts.items())
