"""A queue that has been used for a year: what metrics 6 to 10 are taken on.

It holds what the store would hold, row by row: flows of 1 to 100 jobs in every state, with names, workers, metadata,
edges, payloads, outcomes, outputs and the journal; only the way in is another one (rows in bulk, indexes afterwards),
because submitting and running a million jobs takes an hour. A tenth of the jobs is READY on one worker, for claiming.
"""

import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from benchmarks.engine import SCRATCH_VARIABLE
from benchmarks.side import run_side
from towline.core.states import FINAL, IN_FLIGHT, JobState, flow_state
from towline.store import change_counts, metadata_index
from towline.store.database import Database
from towline.store.tables import metadata as tables

#: The worker with a tenth of all jobs, READY.
CLAIMED_WORKER = "pool"
WORKERS = ("local", "cluster_small", "cluster_large", "cluster_gpu", "archive")
NAMES = ("relax 1", "relax 2", "static", "band structure", "phonon displacement", "elastic", "convergence", "collect")
#: Sizes of flows, as often as they stand here.
_SIZES = (1, 2, 4, 4, 10, 10, 20, 20, 50, 100)
_YEAR_SECONDS = 365 * 86400.0
#: How many flows of a hundred are done, have a failed job, and so on.
_KINDS = {"done": 87, "failed": 6, "error": 2, "waiting": 3, "paused": 1, "stopped": 1}
#: Jobs of the flows that are on their way.
_ON_THEIR_WAY = 1000
_BATCH_FLOWS = 500


def filled(kind: str, jobs: int) -> str:
    """Where a queue with that many jobs is; it is made when it is first asked for.

    Parameters
    ----------
    kind
        "sqlite" or "postgresql".
    """
    key = (kind, jobs)
    if key not in _made:
        where = _empty(kind, jobs)
        run_side("full_queue", "fill", {"where": where, "jobs": jobs})
        _made[key] = where
    return _made[key]


_made: dict[tuple[str, int], str] = {}


def _empty(kind: str, jobs: int) -> str:
    if kind == "sqlite":
        return str(Path(os.environ[SCRATCH_VARIABLE]) / f"queue_{jobs}.sqlite")
    from benchmarks.postgresql import new_schema  # psycopg and the server are extras

    return new_schema(f"queue_{jobs}")


@dataclass
class _Rows:
    """Rows of some flows, by table."""

    flow: list[tuple[Any, ...]] = field(default_factory=list)
    job: list[tuple[Any, ...]] = field(default_factory=list)
    document: list[tuple[Any, ...]] = field(default_factory=list)
    edge: list[tuple[Any, ...]] = field(default_factory=list)
    flow_count: list[tuple[Any, ...]] = field(default_factory=list)
    mark: list[metadata_index.Row] = field(default_factory=list)


def fill(where: str, jobs: int, seed: int = 1) -> int:
    """Fill an empty database; return the number of jobs."""
    database = Database(where)
    indexes = sorted((index for table in tables.tables.values() for index in table.indexes), key=lambda i: str(i.name))
    connection = database.connection
    for index in indexes:
        connection.execute(f"DROP INDEX {index.name}")
    total, last_flow, last_job, workers = 0, 0, 0, Counter[tuple[str, str]]()
    with database.transaction() as transaction:
        for rows in _batches(random.Random(seed), _Year(jobs, database.clock())):
            _insert(transaction, rows)
            total, last_flow, last_job = total + len(rows.job), rows.flow[-1][0], rows.job[-1][0]
            workers.update((row[8], row[6]) for row in rows.job)
        transaction.executemany(
            "INSERT INTO worker_count (worker, state, jobs) VALUES (?, ?, ?)",
            [(*pair, number) for pair, number in workers.items()],
        )
        for statement in _derived(database.dialect.kind):
            transaction.execute(statement)
        for table, last in (("flow", last_flow), ("job", last_job)):
            transaction.set_last_id(table, last)
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.schema import CreateIndex

    dialect = {"sqlite": sqlite, "postgresql": postgresql}[database.dialect.kind].dialect()
    for index in indexes:
        connection.execute(str(CreateIndex(index).compile(dialect=dialect)))
    if database.dialect.kind == "postgresql":
        # What autovacuum does after a while.
        connection.execute("VACUUM ANALYZE")
    else:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    database.close()
    return total


@dataclass(frozen=True)
class _Year:
    """When the jobs of the queue came."""

    jobs: int
    now: float

    def created(self, job_id: int) -> float:
        """The newest job came a minute ago, the first one a year ago."""
        return self.now - 60 - _YEAR_SECONDS * (1 - job_id / self.jobs)

    def is_on_its_way(self, job_id: int) -> bool:
        """What a runner has in its hands does not grow with what is stored: the last flows."""
        return job_id > self.jobs - _ON_THEIR_WAY


def _batches(moments: random.Random, year: _Year) -> Iterator[_Rows]:
    flow_id = job_id = 0
    while job_id < year.jobs:
        rows = _Rows()
        while len(rows.flow) < _BATCH_FLOWS and job_id < year.jobs:
            flow_id += 1
            size = min(moments.choice(_SIZES), year.jobs - job_id)
            _add_flow(rows, moments, flow_id, range(job_id + 1, job_id + size + 1), year)
            job_id += size
        yield rows


def _add_flow(rows: _Rows, moments: random.Random, flow_id: int, ids: range, year: _Year) -> None:
    flow_uuid = str(uuid.UUID(int=moments.getrandbits(128), version=4))
    claimed = moments.random() < 0.1
    kind = moments.choices(list(_KINDS), list(_KINDS.values()))[0]
    kind = "done" if claimed else "going" if year.is_on_its_way(ids[0]) else kind
    worker = CLAIMED_WORKER if claimed else moments.choice(WORKERS)
    created, now = year.created(ids[0]), year.now
    parents = _parents(ids, moments, branched=not claimed)
    states = dict.fromkeys(ids, JobState.READY) if claimed else _states(kind, ids, parents, moments)
    label = f"flow_{flow_id % 5000}"
    updated = created
    held: list[tuple[int, frozenset[int]]] = []
    for number, job_id in enumerate(ids):
        state = states[job_id]
        started = min(created + 30.0 + 120.0 * number, now - 30) if state in FINAL | IN_FLIGHT else None
        ended = started + moments.uniform(1, 100) if started and state in FINAL else None
        ended = ended if ended is None else min(ended, now - 1)
        changed = ended or started or created
        updated = max(updated, changed)
        missing = sum(states[parent] is not JobState.COMPLETED for parent in parents[job_id])
        job_uuid = str(uuid.UUID(int=moments.getrandbits(128), version=4))
        failed = state is JobState.FAILED
        rows.job.append(
            (
                *(job_id, job_uuid, 1, 1, flow_id, NAMES[number % len(NAMES)], state.value, _before(state), worker),
                *(moments.choice((0, 0, 0, 0, 5, 10)), missing, 0, "jobflow", created, changed, started, ended),
                7 if state in IN_FLIGHT else None,
                str(10_000 + job_id) if started else None,
                f"/home/user/.towline/work/{job_uuid[:2]}/{job_uuid}_1" if started else None,
                *(0 if state is JobState.COMPLETED else 1 if failed else None, "error" if failed else None),
            )
        )
        about_job = {"material": f"mp-{flow_id}", "step": number, "campaign": {"id": flow_id % 100}}
        rows.document.append((job_id, _payload(job_uuid, number), _settings(flow_uuid, about_job)))
        held.append((job_id, metadata_index.tokens(about_job)))
        rows.edge.extend((parent, job_id) for parent in parents[job_id])
    counts = Counter(states.values())
    rows.flow_count.extend((flow_id, state.value, number) for state, number in counts.items())
    state = flow_state(counts, leaves_completed=states[ids[-1]] is JobState.COMPLETED and len(counts) == 1)
    about = {"label": label, "campaign": flow_id % 100}
    rows.mark += metadata_index.rows_of_new_flow(flow_id, about, held)
    name, document = f"{NAMES[flow_id % len(NAMES)]} flow", orjson.dumps(about)
    rows.flow.append((flow_id, flow_uuid, name, state.value, created, updated, document))


def _parents(ids: range, moments: random.Random, *, branched: bool) -> dict[int, list[int]]:
    if not branched:
        return {job_id: [] for job_id in ids}
    parents: dict[int, list[int]] = {}
    for number, job_id in enumerate(ids):
        near = list(ids[max(0, number - 4) : number])
        parents[job_id] = sorted(moments.sample(near, min(len(near), moments.choice((1, 1, 2)))))
    return parents


def _states(kind: str, ids: range, parents: dict[int, list[int]], moments: random.Random) -> dict[int, JobState]:
    """States that can be together: everything before a job that began is COMPLETED."""
    if kind == "done":
        return dict.fromkeys(ids, JobState.COMPLETED)
    turn = ids[moments.randrange(len(ids))]
    states: dict[int, JobState] = {}
    for job_id in ids:
        before = [states[parent] for parent in parents[job_id]]
        if job_id < turn and all(state is JobState.COMPLETED for state in before):
            states[job_id] = JobState.COMPLETED
        elif all(state is JobState.COMPLETED for state in before):
            states[job_id] = _turn(kind, moments) if job_id == turn else JobState.READY
        else:
            states[job_id] = JobState.WAITING
    return states


def _turn(kind: str, moments: random.Random) -> JobState:
    if kind == "going":
        return moments.choice(
            (JobState.CHECKED_OUT, JobState.UPLOADED, JobState.SUBMITTED, JobState.RUNNING, JobState.RUNNING)
        )
    return {
        "failed": JobState.FAILED,
        "error": JobState.REMOTE_ERROR,
        "waiting": JobState.READY,
        "paused": JobState.PAUSED,
        "stopped": JobState.USER_STOPPED,
    }[kind]


def _before(state: JobState) -> str | None:
    if state in (JobState.COMPLETED, JobState.FAILED):
        return JobState.DOWNLOADED.value
    if state in IN_FLIGHT or state is JobState.REMOTE_ERROR:
        return JobState.CHECKED_OUT.value
    return None


def _payload(job_uuid: str, number: int) -> bytes:
    """About what jobflow's own documents take: 600 bytes."""
    return orjson.dumps(
        {
            "@module": "jobflow.core.job",
            "@class": "Job",
            "uuid": job_uuid,
            "function": {"@module": "benchmarks", "@callable": "step", "@bound": None},
            "function_args": [number, "x" * 300],
            "function_kwargs": {"accuracy": 1e-6, "steps": 40},
            "output_schema": None,
            "config": {"resolve_references": True, "on_missing_references": "error"},
        }
    )


def _settings(flow_uuid: str, about_job: Mapping[str, Any]) -> bytes:
    return orjson.dumps(
        {
            "resources": {"nodes": 1, "processes_per_node": 8, "time_limit": 3600},
            "exec_config": None,
            "metadata": about_job,
            "hosts": [flow_uuid],
            "references": [],
        }
    )


def _insert(transaction: Any, rows: _Rows) -> None:
    transaction.executemany(
        "INSERT INTO flow (id, uuid, name, state, created_at, updated_at, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows.flow,
    )
    transaction.executemany(
        "INSERT INTO job (id, uuid, job_index, attempt, flow_id, name, state, previous_state, worker, priority, "
        "missing, accepts_failed_parents, payload_kind, created_at, updated_at, started_at, ended_at, lease_owner, "
        "process_id, run_dir, exit_code, reason) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows.job,
    )
    transaction.executemany("INSERT INTO job_document (job_id, payload, settings) VALUES (?, ?, ?)", rows.document)
    transaction.executemany("INSERT INTO edge (parent_id, child_id) VALUES (?, ?)", rows.edge)
    metadata_index.insert(transaction, rows.mark)
    transaction.executemany("INSERT INTO flow_count (flow_id, state, jobs) VALUES (?, ?, ?)", rows.flow_count)


def _derived(kind: str) -> list[str]:
    """Statements that make outcomes, outputs and the journal from the rows of the jobs."""

    def document(text: str) -> str:
        return f"CAST({text} AS BLOB)" if kind == "sqlite" else f"convert_to({text}, 'UTF8')"

    exit_record = document(
        """'{"exit_code":' || exit_code || ',"signal":null,"reason":"exited","host":"node-1","cpu_seconds":12.5}'"""
    )
    failure = document("""'{"reason":"error","message":"ValueError: it does not converge","details":"Traceback"}'""")
    output = document("""'{"uuid":"' || uuid || '","index":1,"output":{"energy":-1.5,"steps":12},"name":"x"}'""")
    life = [
        ("created_at", "NULL", "coalesce(CASE WHEN missing > 0 THEN 'WAITING' END, 'READY')", "'user'", "1 = 1"),
        ("started_at", "'READY'", "'CHECKED_OUT'", "'runner 7'", "started_at IS NOT NULL"),
        (
            *("started_at", "'CHECKED_OUT'", "CASE WHEN ended_at IS NULL THEN state ELSE 'RUNNING' END", "'runner 7'"),
            "started_at IS NOT NULL AND state <> 'CHECKED_OUT'",
        ),
        ("updated_at", "'READY'", "state", "'user'", "state IN ('PAUSED', 'REMOTE_ERROR')"),
        ("ended_at", "'RUNNING'", "'DOWNLOADED'", "'runner 7'", "ended_at IS NOT NULL"),
        ("ended_at", "'DOWNLOADED'", "state", "'runner 7'", "ended_at IS NOT NULL"),
    ]
    events = " UNION ALL ".join(
        f"SELECT id, {at} AS at, CAST({before} AS TEXT) AS from_state, {after} AS to_state, {actor} AS actor, flow_id "
        f"FROM job WHERE {condition}"
        for at, before, after, actor, condition in life
    )
    return [
        "INSERT INTO job_outcome (job_id, failure, exit_record) "
        f"SELECT id, CASE state WHEN 'FAILED' THEN {failure} END, {exit_record} FROM job WHERE ended_at IS NOT NULL",
        "INSERT INTO document (collection, uuid, job_index, name, body) "
        f"SELECT 'outputs', uuid, 1, name, {output} FROM job WHERE state = 'COMPLETED' ORDER BY id",
        "INSERT INTO flow_state_count (state, flows) SELECT state, count(*) FROM flow GROUP BY state",
        *(_changes(kind, table, seconds) for table in change_counts.FOLLOWED for seconds in (900, 86400)),
        "INSERT INTO event (job_id, at, from_state, to_state, actor, flow_id) "
        f"SELECT id, at, from_state, to_state, actor, flow_id FROM ({events}) AS life ORDER BY at, id",
    ]


def _changes(kind: str, table: str, seconds: int) -> str:
    states = ", ".join(f"'{state}'" for state in sorted(change_counts.FOLLOWED[table]))
    # PostgreSQL rounds where SQLite cuts off.
    spans = f"updated_at / {seconds}"
    number = f"CAST({spans if kind == 'sqlite' else f'floor({spans})'} AS BIGINT)"
    return (
        "INSERT INTO change_count (about, span_seconds, state, number, changed) "
        f"SELECT '{table}', {seconds}, state, {number}, count(*) FROM {table} "
        f"WHERE state IN ({states}) GROUP BY state, {number}"
    )
