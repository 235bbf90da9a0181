"""Queues for tests: flows by the names of their jobs, in the states that a test is about."""

import uuid as uuids
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from towline.core.records import NewFlow, NewJob
from towline.core.states import FINAL, JobState, flow_state
from towline.store import change_counts
from towline.store.database import Database
from towline.store.jobs import Defaults, insert_flow
from towline.store.readiness import children_of, recount


def add_flow(
    database: Database,
    graph: Mapping[str, Sequence[str]],
    *,
    name: str = "flow",
    worker: str = "local",
    priority: int = 0,
    metadata: Mapping[str, Any] | None = None,
    flow_uuid: str | None = None,
    flow_metadata: Mapping[str, Any] | None = None,
    **job_fields: Any,
) -> dict[str, int]:
    """Put a flow into the queue; return the ids of its jobs by name.

    Parameters
    ----------
    graph
        ``{name of a job: names of its parents}``.
    job_fields
        Further fields of every :class:`NewJob`.
    """
    identities = {job: str(uuids.uuid4()) for job in graph}
    jobs = tuple(
        NewJob(
            uuid=identities[job],
            name=job,
            payload_kind="command",
            payload=orjson.dumps({"command": "true"}),
            parents=tuple(identities[parent] for parent in parents),
            metadata=metadata or {},
            **job_fields,
        )
        for job, parents in graph.items()
    )
    flow = NewFlow(uuid=flow_uuid or str(uuids.uuid4()), name=name, jobs=jobs, metadata=flow_metadata or {})
    with database.transaction() as transaction:
        ids = insert_flow(transaction, flow, Defaults(worker=worker, priority=priority))
    return dict(zip(graph, ids, strict=True))


def put_in_state(database: Database, job_id: int, state: JobState, **columns: Any) -> None:
    """Move a job as if the runner had, with further columns of its row; counters, flow and children follow."""
    with database.transaction() as transaction:
        flow_id, worker, before, since = transaction.execute(
            "SELECT flow_id, worker, state, updated_at FROM job WHERE id = ?", (job_id,)
        ).fetchone()
        columns = {"previous_state": before, "updated_at": transaction.now, **columns}
        assignments = "".join(f", {column} = ?" for column in columns)
        values = (state.value, *columns.values(), job_id)
        transaction.execute(f"UPDATE job SET state = ?{assignments} WHERE id = ?", values)
        updated_at = columns["updated_at"]
        transaction.record(job_id, flow_id, worker, JobState(before), state, since=since, updated_at=updated_at)
        recount(transaction, children_of(transaction, [job_id]))


def put_outcome(database: Database, job_id: int, **documents: Any) -> None:
    """Store what came of a job: failure, stored_data, exit_record, environment."""
    with database.transaction() as transaction:
        columns = ", ".join(("job_id", *documents))
        marks = ", ".join("?" * (len(documents) + 1))
        transaction.execute(
            f"INSERT INTO job_outcome ({columns}) VALUES ({marks}) ON CONFLICT (job_id) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in ("job_id", *documents)),
            (job_id, *(orjson.dumps(document) for document in documents.values())),
        )


def states(database: Database, jobs: Mapping[str, int]) -> dict[str, str]:
    """State of each job by its name; a deleted one is missing."""
    found = dict(database.read("SELECT id, state FROM job"))
    return {name: found[job_id] for name, job_id in jobs.items() if job_id in found}


def inconsistencies(database: Database) -> list[str]:
    """Where counters, flows, readiness and journal do not say what the rows of the jobs say; empty in a sound queue."""
    problems = []
    for table, column in (("flow_count", "flow_id"), ("worker_count", "worker")):
        counted = set(database.read(f"SELECT {column}, state, jobs FROM {table} WHERE jobs <> 0"))
        real = set(database.read(f"SELECT {column}, state, count(*) FROM job GROUP BY {column}, state"))
        problems += [f"{table}: counted {sorted(counted - real)}, really {sorted(real - counted)}"] * (counted != real)
    problems += _counters_that_differ(database)
    problems += [
        f"job {row[0]} is {row[1]} with {row[2]} unfinished parents, really {row[3]}"
        for row in database.read(
            "SELECT id, state, missing, unfinished FROM (SELECT *, (SELECT count(*) FROM edge JOIN job AS parent "
            "ON parent.id = parent_id WHERE child_id = job.id AND parent.state <> 'COMPLETED' AND NOT "
            "(job.accepts_failed_parents = 1 AND parent.state IN ('FAILED', 'USER_STOPPED'))) AS unfinished FROM job) "
            "AS job WHERE missing <> unfinished OR (state = 'READY' AND missing > 0) "
            "OR (state = 'WAITING' AND missing = 0)"
        )
    ]
    problems += [
        f"job {job_id} is {state}, its journal says {told}"
        for job_id, state, told in database.read(
            "SELECT * FROM (SELECT id, state, (SELECT to_state FROM event WHERE job_id = job.id AND "
            "(from_state IS NOT NULL OR to_state IS NOT NULL) ORDER BY event.id DESC LIMIT 1) AS told FROM job) "
            "AS journal WHERE coalesce(told, '') <> state"
        )
    ]
    problems += _flows_that_differ(database)
    orphans = database.read(
        "SELECT 'edge', parent_id FROM edge "
        "WHERE parent_id NOT IN (SELECT id FROM job) OR child_id NOT IN (SELECT id FROM job) "
        "UNION ALL SELECT 'document', job_id FROM job_document WHERE job_id NOT IN (SELECT id FROM job) "
        "UNION ALL SELECT 'outcome', job_id FROM job_outcome WHERE job_id NOT IN (SELECT id FROM job) "
        "UNION ALL SELECT 'flow', id FROM flow WHERE id NOT IN (SELECT flow_id FROM job)"
    )
    return problems + [f"{what} of {owner} that is gone" for what, owner in orphans]


def _counters_that_differ(database: Database) -> list[str]:
    flows = Counter(state for (state,) in database.read("SELECT state FROM flow"))
    counted = {state: flows for state, flows in database.read("SELECT state, flows FROM flow_state_count") if flows}
    problems = [f"flow_state_count: counted {counted}, really {dict(flows)}"] * (counted != dict(flows))
    changes: Counter[tuple[str, int, str, int]] = Counter()
    for about, states in change_counts.FOLLOWED.items():
        for state, at in database.read(f"SELECT state, updated_at FROM {about}"):
            for seconds in (change_counts.QUARTER_SECONDS, change_counts.DAY_SECONDS):
                changes[(about, seconds, state, int(at // seconds))] += state in states
    rows = database.read("SELECT about, span_seconds, state, number, changed FROM change_count WHERE changed <> 0")
    told = {(about, seconds, state, number, changed) for about, seconds, state, number, changed in rows}
    real = {(*key, changed) for key, changed in changes.items() if changed}
    return problems + [f"change_count: counted {sorted(told - real)}, really {sorted(real - told)}"] * (told != real)


def _flows_that_differ(database: Database) -> list[str]:
    problems = []
    for flow_id, told in database.read("SELECT id, state FROM flow"):
        rows = database.read("SELECT state, count(*) FROM job WHERE flow_id = ? GROUP BY state", (flow_id,))
        leaves = database.read(
            "SELECT DISTINCT state FROM job WHERE flow_id = ? AND id NOT IN (SELECT parent_id FROM edge)", (flow_id,)
        )
        counts = {JobState(state): count for state, count in rows}
        # As long as something may move, the flow is not COMPLETED whatever its leaves say.
        completed = leaves == [("COMPLETED",)] and set(counts) <= FINAL
        state = flow_state(counts, leaves_completed=completed)
        problems += [f"flow {flow_id} is {told}, its jobs make it {state.value}"] * (state.value != told)
    return problems
