"""Jobs entering the queue, being claimed by a runner, and moving from state to state."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from towline.core.records import NewFlow, NewJob
from towline.core.states import FAILED_BUT_ACCEPTABLE, JobState, check_move
from towline.errors import InvalidFlow
from towline.store import metadata_index
from towline.store.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a new job inherits where it says nothing: from the submission, or from the job that made it."""

    worker: str
    priority: int = 0
    resources: Mapping[str, Any] | None = None
    exec_config: str | Mapping[str, Any] | None = None
    retry: Mapping[str, Any] | None = None
    work_dir: str | None = None


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job as the runner holds it."""

    id: int
    uuid: str
    index: int
    attempt: int
    flow_id: int
    name: str
    worker: str
    priority: int
    payload_kind: str
    step_attempts: int
    run_dir: str | None
    #: The optional job store that the flow chose; None is the project's own.
    jobstore: str | None
    #: resources, exec_config, metadata, hosts, references.
    settings: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Identity of this attempt on the worker."""
        return f"{self.id}.{self.attempt}"


@dataclass(frozen=True, slots=True)
class Move:
    """One or more changes of state of one job, as one update."""

    job: QueuedJob
    from_state: JobState
    #: The states it goes through, with the time of each (None is the time of the transaction).
    path: tuple[tuple[JobState, float | None], ...]
    note: str | None = None
    #: Columns that change with it.
    columns: Mapping[str, Any] = field(default_factory=dict)


_COLUMNS = (
    "id, uuid, job_index, attempt, flow_id, name, worker, priority, payload_kind, step_attempts, run_dir, "
    "(SELECT jobstore FROM flow WHERE flow.id = job.flow_id)"
)

# Documents that are read by the statement that changes the job need no other one.
_SETTINGS, _PAYLOAD = (
    f"(SELECT {column} FROM job_document WHERE job_document.job_id = job.id)" for column in ("settings", "payload")
)

_INSERT_JOB = (
    "INSERT INTO job (id, uuid, job_index, attempt, flow_id, name, state, worker, priority, missing, "
    "accepts_failed_parents, payload_kind, created_at, updated_at, made_by) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def insert_flow(transaction: Transaction, flow: NewFlow, defaults: Defaults) -> list[int]:
    """Put a flow into the queue; return the ids of its jobs, in their order.

    Raises
    ------
    InvalidFlow
        The flow or one of its jobs is in the queue already.
    """
    if transaction.execute("SELECT 1 FROM flow WHERE uuid = ?", (flow.uuid,)).fetchone():
        raise InvalidFlow(f"flow {flow.uuid} ({flow.name!r}) is in the queue already; build it anew to run it again")
    row = transaction.execute(
        "INSERT INTO flow (uuid, name, state, created_at, updated_at, jobstore, metadata) "
        "VALUES (?, ?, 'READY', ?, ?, ?, ?) RETURNING id",
        (flow.uuid, flow.name, transaction.now, transaction.now, flow.jobstore, orjson.dumps(dict(flow.metadata))),
    ).fetchone()
    transaction.record_new_flow()
    return insert_jobs(transaction, int(row[0]), flow.jobs, defaults, flow_metadata=flow.metadata)


def insert_jobs(
    transaction: Transaction,
    flow_id: int,
    jobs: Sequence[NewJob],
    defaults: Defaults,
    *,
    stopped: bool = False,
    note: str | None = None,
    made_by: int | None = None,
    finishing: Collection[int] = (),
    flow_metadata: Mapping[str, Any] | None = None,
) -> list[int]:
    """Add jobs to a flow; return their ids, in their order.

    Parents are looked up among `jobs` first, then in the queue (their newest index); one that is in neither is an
    output that only the job store knows, and no dependency.

    Parameters
    ----------
    stopped
        The jobs are born STOPPED, because something stopped the flow before they came.
    made_by
        The job whose response they come from.
    finishing
        Jobs that finish in this transaction: they still release their children, the new ones among them.
    flow_metadata
        Metadata of the flow, when it comes with these jobs.
    """
    _refuse_known(transaction, jobs)
    earlier = {} if made_by is None else _attempts_of_retired(transaction, jobs)
    ids = transaction.new_ids("job", len(jobs))
    inside: dict[str, int] = {}
    newest: dict[str, int] = {}
    for position, job in enumerate(jobs):
        if job.index > newest.get(job.uuid, 0):
            newest[job.uuid], inside[job.uuid] = job.index, ids[position]
    outside = _states_of_newest(transaction, {parent for job in jobs for parent in job.parents if parent not in inside})
    job_rows, document_rows, edge_rows = [], [], []
    for job_id, job in zip(ids, jobs, strict=True):
        missing = 0
        for parent in set(job.parents):
            if parent in inside:
                parent_id, finished = inside[parent], False
            elif parent in outside:
                parent_id, state = outside[parent]
                finished = parent_id not in finishing and is_finished(state, accepts_failed=job.accepts_failed_parents)
            else:
                continue
            missing += not finished
            edge_rows.append((parent_id, job_id))
        state = JobState.STOPPED if stopped else JobState.WAITING if missing else JobState.READY
        worker = job.worker or defaults.worker
        priority = defaults.priority if job.priority is None else job.priority
        job_rows.append(
            (
                *(job_id, job.uuid, job.index, earlier.get((job.uuid, job.index), 0) + 1, flow_id, job.name),
                *(state.value, worker, priority, missing, int(job.accepts_failed_parents), job.payload_kind),
                *(transaction.now, transaction.now, made_by),
            )
        )
        document_rows.append((job_id, job.payload, orjson.dumps(_settings(job, defaults))))
        transaction.record(job_id, flow_id, worker, None, state, note)
    transaction.executemany(_INSERT_JOB, job_rows)
    transaction.executemany("INSERT INTO job_document (job_id, payload, settings) VALUES (?, ?, ?)", document_rows)
    transaction.executemany("INSERT INTO edge (parent_id, child_id) VALUES (?, ?)", edge_rows)
    held = [(job_id, metadata_index.tokens(job.metadata)) for job_id, job in zip(ids, jobs, strict=True)]
    if flow_metadata is None:
        metadata_index.insert(transaction, metadata_index.rows_of_jobs(flow_id, held))
    else:
        metadata_index.insert(transaction, metadata_index.rows_of_new_flow(flow_id, flow_metadata, held))
    return list(ids)


def is_finished(state: JobState, *, accepts_failed: bool) -> bool:
    """Whether a parent in `state` releases a child."""
    return state is JobState.COMPLETED or (accepts_failed and state in FAILED_BUT_ACCEPTABLE)


def _claimable(only_job_id: int | None) -> str:
    """What may be claimed; the parameters are worker and time."""
    # The job in the text: with a parameter that may be nothing, PostgreSQL would plan the claim anew each time.
    return (
        f"worker = ? AND state = 'READY' {'' if only_job_id is None else f'AND id = {only_job_id:d} '}"
        "AND (retry_at IS NULL OR retry_at <= ?) "
        "AND NOT EXISTS (SELECT 1 FROM cancellation WHERE cancellation.job_id = job.id)"
    )


def next_to_claim(
    transaction: Transaction, worker: str, limit: int, only_job_id: int | None = None
) -> list[tuple[int, int]]:
    """``(priority, id)`` of the jobs that :func:`claim` would claim, in its order."""
    rows = transaction.execute(
        f"SELECT priority, id FROM job WHERE {_claimable(only_job_id)} "
        f"ORDER BY priority DESC, id LIMIT {max(limit, 0):d}",
        (worker, transaction.now),
    ).fetchall()
    return [(int(priority), int(job_id)) for priority, job_id in rows]


def claim(
    transaction: Transaction, worker: str, limit: int, owner: int, only_job_id: int | None = None
) -> list[tuple[QueuedJob, bytes]]:
    """Claim up to `limit` READY jobs of a worker, highest priority first, then oldest.

    Jobs whose earlier attempt still has to end, or whose next one is not due, are left alone; with `only_job_id`, every
    other job is.

    Returns
    -------
    The jobs, now CHECKED_OUT and held by runner `owner`, each with its payload.
    """
    if limit <= 0:
        return []
    rows = transaction.execute(
        "UPDATE job SET state = 'CHECKED_OUT', previous_state = 'READY', lease_owner = ?, updated_at = ?, "
        "step_attempts = 0, retry_at = NULL WHERE +job.state = 'READY' AND id IN ("
        f"SELECT id FROM job WHERE {_claimable(only_job_id)} "
        f"ORDER BY priority DESC, id LIMIT {limit:d} /* skip locked */) RETURNING {_COLUMNS}, {_SETTINGS}, {_PAYLOAD}",
        (owner, transaction.now, worker, transaction.now),
    ).fetchall()
    rows.sort(key=lambda row: (-row[7], row[0]))
    check_move(JobState.READY, JobState.CHECKED_OUT)
    transaction.record_alike(worker, [(row[0], row[4]) for row in rows], JobState.READY, JobState.CHECKED_OUT)
    return [(_queued(row[:-2], orjson.loads(row[-2])), row[-1]) for row in rows]


def any_to_take_over(database: Database, owner: int, workers: Sequence[str]) -> bool:
    """Whether :func:`take_over` would find something."""
    return bool(database.read(f"SELECT 1 FROM job WHERE {_FOREIGN} LIMIT 1", (_listed(workers), owner)))


def take_over(transaction: Transaction, owner: int, workers: Sequence[str]) -> list[QueuedJob]:
    """Make `owner` the holder of every job in flight on `workers` that it does not hold.

    These are jobs of a runner that is gone, and jobs whose failed step the user wants repeated.
    """
    rows = transaction.execute(
        f"UPDATE job SET lease_owner = ?, retry_at = NULL WHERE {_FOREIGN} RETURNING {_COLUMNS}, {_SETTINGS}",
        (owner, _listed(workers), owner),
    ).fetchall()
    return [_queued(row[:-1], orjson.loads(row[-1])) for row in rows]


_FOREIGN = (
    "state IN ('CHECKED_OUT', 'UPLOADED', 'SUBMITTED', 'RUNNING', 'RUN_FINISHED', 'DOWNLOADED', 'BATCH_SUBMITTED', "
    "'BATCH_RUNNING') AND worker IN (SELECT value FROM json_each(?)) AND (lease_owner IS NULL OR lease_owner <> ?)"
)


def states_of(transaction: Transaction, jobs: Iterable[QueuedJob]) -> dict[int, JobState]:
    """State of those `jobs` that still are at the attempt the runner knows; the others were rerun or deleted."""
    known = {job.id: job.attempt for job in jobs}
    rows = transaction.execute(
        "SELECT id, attempt, state FROM job WHERE id IN (SELECT value FROM json_each(?))",
        (_listed(known),),
    ).fetchall()
    return {job_id: JobState(state) for job_id, attempt, state in rows if known[job_id] == attempt}


def apply_moves(transaction: Transaction, moves: Sequence[Move]) -> None:
    """Write moves of the runner, each from the state that :func:`states_of` found in this transaction."""
    by_columns: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for move in moves:
        state = move.from_state
        for position, (to_state, at) in enumerate(move.path):
            check_move(state, to_state)
            last = position == len(move.path) - 1
            transaction.record(
                move.job.id, move.job.flow_id, move.job.worker, state, to_state, move.note if last else None, at
            )
            previous, state = state, to_state
        by_columns.setdefault(tuple(move.columns), []).append(
            (state.value, previous.value, transaction.now, *move.columns.values(), move.job.id, move.from_state.value)
        )
    for columns, rows in by_columns.items():
        assignments = "".join(f", {column} = ?" for column in columns)
        changed = transaction.executemany(
            f"UPDATE job SET state = ?, previous_state = ?, updated_at = ?{assignments} WHERE id = ? AND state = ?",
            rows,
        )
        if changed != len(rows):
            raise AssertionError(f"{len(rows) - changed} jobs changed their state inside one transaction")


def release_children(transaction: Transaction, finished: Mapping[int, JobState]) -> None:
    """Count down the children of jobs that just finished; those that wait for nobody else become READY.

    Parameters
    ----------
    finished
        ``{job id: its final state}``.
    """
    edges = transaction.execute(
        "SELECT parent_id, child_id FROM edge WHERE parent_id IN (SELECT value FROM json_each(?))",
        (_listed(finished),),
    ).fetchall()
    if not edges:
        return
    any_end = [(child,) for parent, child in edges if finished[parent] is JobState.COMPLETED]
    if_accepted = [(child,) for parent, child in edges if finished[parent] in FAILED_BUT_ACCEPTABLE]
    transaction.executemany("UPDATE job SET missing = missing - 1 WHERE id = ?", any_end)
    transaction.executemany(
        "UPDATE job SET missing = missing - 1 WHERE id = ? AND accepts_failed_parents = 1", if_accepted
    )
    children = _listed({child for _, child in edges})
    rows = transaction.execute(
        "UPDATE job SET state = 'READY', previous_state = 'WAITING', updated_at = ? WHERE +job.state = 'WAITING' "
        "AND missing = 0 AND id IN (SELECT value FROM json_each(?)) RETURNING id, flow_id, worker",
        (transaction.now, children),
    ).fetchall()
    for job_id, flow_id, worker in rows:
        transaction.record(job_id, flow_id, worker, JobState.WAITING, JobState.READY)


def _queued(row: tuple[Any, ...], settings: Mapping[str, Any]) -> QueuedJob:
    return QueuedJob(*(*row, settings))


def _listed(values: Iterable[object]) -> str:
    """Values as one parameter, for `IN (SELECT value FROM json_each(?))`: one statement for any number of them."""
    return orjson.dumps(list(values)).decode()


def _settings(job: NewJob, defaults: Defaults) -> dict[str, Any]:
    resources = defaults.resources if job.resources is None else job.resources
    settings = {
        "resources": None if resources is None else dict(resources),
        "exec_config": defaults.exec_config if job.exec_config is None else job.exec_config,
        "metadata": job.metadata,
        "hosts": job.hosts,
        "references": job.references,
    }
    if job.additional_stores:
        settings["additional_stores"] = job.additional_stores
    work_dir = defaults.work_dir if job.work_dir is None else job.work_dir
    if work_dir:
        settings["work_dir"] = work_dir
    retry = defaults.retry if job.retry is None else job.retry
    return settings if retry is None else {**settings, "retry": retry}


def _refuse_known(transaction: Transaction, jobs: Sequence[NewJob]) -> None:
    rows = transaction.execute(
        "SELECT uuid, job_index, name FROM job WHERE uuid IN (SELECT value FROM json_each(?))",
        (_listed(job.uuid for job in jobs),),
    ).fetchall()
    known = {(uuid, index): name for uuid, index, name in rows}
    for job in jobs:
        if (job.uuid, job.index) in known:
            raise InvalidFlow(
                f"job {job.uuid} index {job.index} ({job.name!r}) is in the queue already; "
                "build the flow anew to run it again, or use `tow job rerun`"
            )


def next_delayed(database: Database, after: float) -> float | None:
    """When, later than `after`, the next attempt of a READY job is due that waits for its time."""
    rows = database.read(
        "SELECT min(retry_at) FROM job WHERE state = 'READY' AND retry_at IS NOT NULL AND retry_at > ?", (after,)
    )
    return None if rows[0][0] is None else float(rows[0][0])


def _attempts_of_retired(transaction: Transaction, jobs: Sequence[NewJob]) -> dict[tuple[str, int], int]:
    """The last attempt of jobs that were retired: who takes their identity goes on counting, in folders of its own."""
    rows = transaction.execute(
        "SELECT uuid, job_index, max(attempt) FROM retired_job WHERE uuid IN (SELECT value FROM json_each(?)) "
        "GROUP BY uuid, job_index",
        (_listed(job.uuid for job in jobs),),
    ).fetchall()
    return {(uuid, index): attempt for uuid, index, attempt in rows}


def _states_of_newest(transaction: Transaction, uuids: Iterable[str]) -> dict[str, tuple[int, JobState]]:
    """``{uuid: (job id, state)}`` of the newest index of each uuid that is in the queue."""
    wanted = list(uuids)
    if not wanted:
        return {}
    rows = transaction.execute(
        "SELECT uuid, id, state FROM job WHERE uuid IN (SELECT value FROM json_each(?)) ORDER BY job_index",
        (_listed(wanted),),
    ).fetchall()
    return {uuid: (job_id, JobState(state)) for uuid, job_id, state in rows}
