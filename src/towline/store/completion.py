"""The end of a job: its output, its new state, the jobs it made and the children it releases, in one transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from towline.core.ports import Outputs
from towline.core.records import ExitRecord, NewJob, Result
from towline.core.states import NOT_STARTED, JobState
from towline.store import environments
from towline.store.affected import affected
from towline.store.database import Transaction
from towline.store.jobs import Defaults, Move, QueuedJob, apply_moves, insert_jobs, is_finished, release_children
from towline.store.reruns import begin_new_attempts


@dataclass(frozen=True, slots=True)
class Completion:
    """A job that ended, and everything that is known about it."""

    job: QueuedJob
    state: JobState
    result: Result
    exit: ExitRecord
    #: Where it ran; None for a pooled job, which has no folder.
    run_dir: str | None = None
    #: Its process id, when that is news.
    process_id: str | None = None
    #: What follows when the job has not come to its end with this attempt.
    continuation: "Continuation | None" = None


@dataclass(frozen=True, slots=True)
class Continuation:
    """A further attempt of a job that nobody had to ask for."""

    #: Why, and how.
    note: str
    #: When it may begin, in seconds since the epoch; None is at once.
    due: float | None
    #: Keys of the settings of the job that change.
    settings: Mapping[str, Any]
    #: What the attempt that ended counts as.
    ended_as: JobState


def complete(
    transaction: Transaction, completions: Sequence[Completion], outputs_of: Callable[[str | None], Outputs]
) -> None:
    """Store what came of `completions`: COMPLETED, FAILED where the result says so, or another attempt.

    Parameters
    ----------
    outputs_of
        The job store of a name. Those outside this database have been given their outputs before.
    """
    apply_moves(transaction, [_move(completion) for completion in completions])
    transaction.executemany(
        "INSERT INTO job_outcome (job_id, failure, stored_data, exit_record, environment) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (job_id) DO UPDATE SET failure = excluded.failure, stored_data = excluded.stored_data, "
        "exit_record = excluded.exit_record, environment = excluded.environment",
        [_outcome(completion) for completion in completions],
    )
    environments.keep(transaction, (completion.result for completion in completions))
    begin_continuations(
        transaction, {item.job.id: item.continuation for item in completions if item.continuation is not None}
    )
    completions = [completion for completion in completions if completion.continuation is None]
    for completion in completions:
        result, store = completion.result, outputs_of(completion.job.jobstore)
        if result.output is not None and result.failure is None and store.transactional:
            store.store(transaction, result.output, result.additional)
    finishing = {completion.job.id for completion in completions}
    for completion in completions:
        if completion.result.failure is None:
            _respond(transaction, completion, finishing)
    release_children(transaction, {completion.job.id: _final_state(completion) for completion in completions})


def begin_continuations(transaction: Transaction, continuations: Mapping[int, Continuation]) -> None:
    """Put the attempts of these jobs, which are READY again, into the history, and let the next ones begin."""
    if not continuations:
        return
    jobs = affected(transaction, continuations)
    begin_new_attempts(
        transaction,
        jobs,
        ended_as={job_id: item.ended_as for job_id, item in continuations.items()},
        followed_by={job_id: item.note for job_id, item in continuations.items()},
        changes={job_id: item.settings for job_id, item in continuations.items()},
    )
    transaction.executemany(
        "UPDATE job SET retry_at = ? WHERE id = ?",
        [(item.due, job_id) for job_id, item in continuations.items() if item.due is not None],
    )


def _final_state(completion: Completion) -> JobState:
    if completion.continuation is not None:
        return JobState.READY
    return JobState.COMPLETED if completion.result.failure is None else JobState.FAILED


def _move(completion: Completion) -> Move:
    exit_record, failure = completion.exit, completion.result.failure
    path: list[tuple[JobState, float | None]] = []
    if completion.state in (JobState.CHECKED_OUT, JobState.UPLOADED, JobState.SUBMITTED) and exit_record.started_at:
        path.append((JobState.RUNNING, exit_record.started_at))
    if completion.state is not JobState.DOWNLOADED:
        path.append((JobState.DOWNLOADED, exit_record.ended_at))
    path.append((_final_state(completion), None))
    return Move(
        job=completion.job,
        from_state=completion.state,
        path=tuple(path),
        note=_note(completion),
        columns={
            "started_at": exit_record.started_at,
            "ended_at": exit_record.ended_at,
            "run_dir": completion.run_dir,
            "exit_code": exit_record.exit_code,
            "exit_signal": exit_record.signal,
            "reason": None if failure is None else failure.reason,
            "lease_owner": None,
            "step_attempts": 0,
            "retry_at": None,
            **({} if completion.process_id is None else {"process_id": completion.process_id}),
        },
    )


def _note(completion: Completion) -> str | None:
    failure = completion.result.failure
    said = [] if failure is None else [failure.message]
    return "; ".join(said if completion.continuation is None else [*said, completion.continuation.note]) or None


def _outcome(completion: Completion) -> tuple[Any, ...]:
    result = completion.result
    return (
        completion.job.id,
        None if result.failure is None else orjson.dumps(asdict(result.failure)),
        None if result.stored_data is None else orjson.dumps(result.stored_data, option=orjson.OPT_NON_STR_KEYS),
        orjson.dumps(completion.exit),
        orjson.dumps(result.environment) if result.environment else None,
    )


def _respond(transaction: Transaction, completion: Completion, finishing: Collection[int]) -> None:
    """Carry out the Response of a job, in the order of jobflow-remote: replace, addition, detour, stops."""
    result, job = completion.result, completion.job
    if not (result.replace or result.addition or result.detour or result.stop_children or result.stop_jobflow):
        return
    children = [row[0] for row in transaction.execute("SELECT child_id FROM edge WHERE parent_id = ?", (job.id,))]
    stopped = result.stop_children or result.stop_jobflow or _flow_is_stopped(transaction, job.flow_id)
    if result.replace:
        _replace(transaction, job, result.replace, stopped, finishing)
    if result.addition:
        _insert_below(transaction, job, result.addition, "addition", stopped, finishing)
    if result.detour:
        new_ids = _insert_below(transaction, job, result.detour, "detour", stopped, finishing)
        _make_parents(transaction, _leaves(transaction, new_ids), children)
    if result.stop_children:
        _stop(
            transaction, "id IN (SELECT value FROM json_each(?))", orjson.dumps(children).decode(), job, "stop_children"
        )
    if result.stop_jobflow:
        transaction.execute("UPDATE flow SET stop_requested = 1 WHERE id = ?", (job.flow_id,))
        _stop(transaction, "flow_id = ?", job.flow_id, job, "stop_jobflow")


def _defaults(job: QueuedJob) -> Defaults:
    return Defaults(
        worker=job.worker,
        priority=job.priority,
        resources=job.settings.get("resources"),
        exec_config=job.settings.get("exec_config"),
        retry=job.settings.get("retry"),
        work_dir=job.settings.get("work_dir"),
    )


def _flow_is_stopped(transaction: Transaction, flow_id: int) -> bool:
    row = transaction.execute("SELECT stop_requested FROM flow WHERE id = ?", (flow_id,)).fetchone()
    return bool(row and row[0])


def _replace(
    transaction: Transaction, job: QueuedJob, jobs: Sequence[NewJob], stopped: bool, finishing: Collection[int]
) -> None:
    """The replacement joins the flow; whoever waited for the job now waits for its uuid with the next index."""
    new_ids = insert_jobs(
        transaction,
        job.flow_id,
        jobs,
        _defaults(job),
        stopped=stopped,
        note=f"replaces job {transaction.db_id(job.id)}",
        made_by=job.id,
        finishing=finishing,
    )
    successor = next((i for i, new in zip(new_ids, jobs, strict=True) if new.uuid == job.uuid), None)
    if successor is not None:
        transaction.execute("UPDATE edge SET parent_id = ? WHERE parent_id = ?", (successor, job.id))
    _inherit_parents(transaction, job, [*zip(new_ids, jobs, strict=True)])


def _inherit_parents(transaction: Transaction, job: QueuedJob, replacements: Sequence[tuple[int, NewJob]]) -> None:
    """Say where the first of the new jobs came from: they get the parents of the job, as far as those hold nobody up.

    A job may have accepted a failed parent for which its replacement would wait for ever.
    """
    parents = transaction.execute(
        "SELECT id, state FROM edge JOIN job ON job.id = parent_id WHERE child_id = ?", (job.id,)
    ).fetchall()
    accepts = {new_id: new.accepts_failed_parents for new_id, new in replacements}
    transaction.executemany(
        "INSERT INTO edge (parent_id, child_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [
            (parent, root)
            for root in _roots(transaction, list(accepts))
            for parent, state in parents
            if is_finished(JobState(state), accepts_failed=accepts[root])
        ],
    )


def _insert_below(
    transaction: Transaction,
    job: QueuedJob,
    jobs: Sequence[NewJob],
    kind: str,
    stopped: bool,
    finishing: Collection[int],
) -> list[int]:
    """Add jobs whose roots are children of `job`. It finishes in this transaction and releases them then."""
    inside = {new.uuid for new in jobs}
    below = [
        replace(new, parents=(*new.parents, job.uuid)) if not inside.intersection(new.parents) else new for new in jobs
    ]
    return insert_jobs(
        transaction,
        job.flow_id,
        below,
        _defaults(job),
        stopped=stopped,
        note=f"{kind} of job {transaction.db_id(job.id)}",
        made_by=job.id,
        finishing=finishing,
    )


def _roots(transaction: Transaction, ids: Sequence[int]) -> list[int]:
    listed = orjson.dumps(list(ids)).decode()
    with_parents = transaction.execute(
        "SELECT DISTINCT child_id FROM edge WHERE child_id IN (SELECT value FROM json_each(?)) "
        "AND parent_id IN (SELECT value FROM json_each(?))",
        (listed, listed),
    ).fetchall()
    return sorted(set(ids) - {row[0] for row in with_parents})


def _leaves(transaction: Transaction, ids: Sequence[int]) -> list[int]:
    with_children = transaction.execute(
        "SELECT DISTINCT parent_id FROM edge WHERE parent_id IN (SELECT value FROM json_each(?))",
        (orjson.dumps(list(ids)).decode(),),
    ).fetchall()
    return sorted(set(ids) - {row[0] for row in with_children})


def _make_parents(transaction: Transaction, parents: Sequence[int], children: Sequence[int]) -> None:
    """Let `children`, which have not started, wait for `parents` too."""
    for child in children:
        added = transaction.executemany(
            "INSERT INTO edge (parent_id, child_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(parent, child) for parent in parents],
        )
        transaction.execute("UPDATE job SET missing = missing + ? WHERE id = ?", (added, child))


def _stop(transaction: Transaction, condition: str, parameter: object, job: QueuedJob, kind: str) -> None:
    states = ", ".join(f"'{state.value}'" for state in sorted(NOT_STARTED))
    rows = transaction.execute(
        f"SELECT id, flow_id, worker, state FROM job WHERE +job.state IN ({states}) AND {condition}", (parameter,)
    ).fetchall()
    transaction.executemany(
        "UPDATE job SET previous_state = state, state = 'STOPPED', updated_at = ? WHERE id = ?",
        [(transaction.now, row[0]) for row in rows],
    )
    note = f"{kind} of job {transaction.db_id(job.id)} ({job.name})"
    for job_id, flow_id, worker, state in rows:
        transaction.record(job_id, flow_id, worker, JobState(state), JobState.STOPPED, note)
