"""A flow as rows that can leave one queue and enter another: its identity stays, the numbers of rows do not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from towline.core.records import PERSON
from towline.core.states import IN_FLIGHT, JobState
from towline.errors import IllegalMove, InvalidFlow
from towline.store import environments, metadata_index
from towline.store.database import Database, Transaction
from towline.store.readiness import count_missing, recount

#: Columns that travel, by table. Documents are JSON texts, which nobody on the way decodes.
_JOB = (
    *("id", "uuid", "job_index", "attempt", "name", "state", "previous_state", "worker", "priority"),
    *("accepts_failed_parents", "payload_kind", "created_at", "updated_at", "started_at", "ended_at", "process_id"),
    *("run_dir", "exit_code", "exit_signal", "reason", "made_by"),
)
_DOCUMENT = ("job_id", "payload", "settings")
_OUTCOME = ("job_id", "failure", "stored_data", "exit_record", "environment")
_ATTEMPT = ("job_id", "attempt", "state", "worker", "run_dir", "started_at", "ended_at", "outcome")
_EVENT = ("job_id", "at", "from_state", "to_state", "actor", "note")
_RETIRED = (
    *("job_id", "uuid", "job_index", "attempt", "name", "state", "worker", "run_dir", "made_by", "retired_at"),
    "record",
)
_FLOW = ("uuid", "name", "created_at", "updated_at", "stop_requested", "jobstore", "metadata")

#: What a job becomes in another queue, where nobody has asked for it to run.
_BECOMES = {
    JobState.READY: JobState.PAUSED,
    JobState.WAITING: JobState.PAUSED,
    JobState.REMOTE_ERROR: JobState.USER_STOPPED,
}

Records = dict[str, list[dict[str, Any]]]


def read_flow(database: Database, flow_row: int) -> Records:
    """Everything about a flow, as rows by table.

    Raises
    ------
    IllegalMove
        A runner or a worker holds one of its jobs.
    """
    by_flow = "job_id IN (SELECT id FROM job WHERE flow_id = ?)"
    inner = " AND ".join(f"{end} IN (SELECT id FROM job WHERE flow_id = ?)" for end in ("child_id", "parent_id"))
    records = {
        "flow": _rows(database, "flow", _FLOW, "id = ?", flow_row),
        "job": _rows(database, "job", _JOB, "flow_id = ? ORDER BY id", flow_row),
        "job_document": _rows(database, "job_document", _DOCUMENT, f"{by_flow} ORDER BY job_id", flow_row),
        "job_outcome": _rows(database, "job_outcome", _OUTCOME, f"{by_flow} ORDER BY job_id", flow_row),
        "attempt": _rows(database, "attempt", _ATTEMPT, f"{by_flow} ORDER BY job_id, attempt", flow_row),
        "edge": _rows(database, "edge", ("parent_id", "child_id"), inner, flow_row, flow_row),
        "outer_edge": _outer_edges(database, flow_row),
        "event": _rows(database, "event", _EVENT, f"{by_flow} ORDER BY id", flow_row),
        "retired_event": _rows(
            database,
            "event",
            _EVENT,
            "job_id IN (SELECT job_id FROM retired_job WHERE flow_id = ?) ORDER BY id",
            flow_row,
        ),
        "retired_job": _rows(database, "retired_job", _RETIRED, "flow_id = ? ORDER BY job_id", flow_row),
    }
    records["environment"] = _environments(database, records["job_outcome"])
    flying = [job for job in records["job"] if JobState(job["state"]) in IN_FLIGHT]
    if flying:
        named = ", ".join(f"{job['id']} ({job['state']})" for job in flying[:5])
        raise IllegalMove(
            f"{len(flying)} jobs of the flow are with a worker: {named}. Wait for them (tow wait), or stop them "
            "(tow job stop --flow-id ID)"
        )
    return records


def _environments(database: Database, outcomes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the jobs with these outcomes ran with."""
    texts = {item["environment"] for item in outcomes if item["environment"]}
    identifiers = sorted({identifier for text in texts if (identifier := orjson.loads(text).get("id"))})
    return [
        row
        for identifier in identifiers
        for row in _rows(database, "environment", ("hash", "document"), "hash = ?", identifier)
    ]


def _outer_edges(database: Database, flow_row: int) -> list[dict[str, Any]]:
    """Dependencies between jobs of the flow and jobs of others, by what stays the same in every queue."""
    ours = f"SELECT id FROM job WHERE flow_id = {int(flow_row)}"
    rows = database.read(
        "SELECT parent.uuid, parent.job_index, parent.state, child.uuid, child.job_index FROM edge "
        "JOIN job AS parent ON parent.id = parent_id JOIN job AS child ON child.id = child_id "
        f"WHERE child_id IN ({ours}) AND parent.flow_id <> ? "
        "UNION SELECT parent.uuid, parent.job_index, parent.state, child.uuid, child.job_index FROM edge "
        "JOIN job AS parent ON parent.id = parent_id JOIN job AS child ON child.id = child_id "
        f"WHERE parent_id IN ({ours}) AND child.flow_id <> ? ORDER BY 1, 2, 4, 5",
        (flow_row, flow_row),
    )
    names = ("parent_uuid", "parent_index", "parent_state", "child_uuid", "child_index")
    return [dict(zip(names, row, strict=True)) for row in rows]


def refuse_known(database: Database, records: Records) -> None:
    """Refuse a flow that is in the queue already, or one of whose jobs is.

    Raises
    ------
    InvalidFlow
        It is.
    """
    flow = records["flow"][0]
    if database.read("SELECT 1 FROM flow WHERE uuid = ?", (flow["uuid"],)):
        raise InvalidFlow(
            f"flow {flow['uuid']} ({flow['name']!r}) is in this project already. To put the archive in its place, "
            f"delete it first: tow flow delete --flow-id {flow['uuid']}"
        )
    rows = database.read(
        "SELECT uuid, job_index, id FROM job WHERE uuid IN (SELECT value FROM json_each(?))",
        (orjson.dumps([job["uuid"] for job in records["job"]]).decode(),),
    )
    ours = {(job["uuid"], job["job_index"]) for job in records["job"]}
    for uuid, index, job_id in rows:
        if (uuid, index) in ours:
            raise InvalidFlow(f"job {uuid} index {index} is in this project already, as job {job_id} of another flow")


def write_flow(
    transaction: Transaction,
    records: Records,
    *,
    worker_for: Callable[[str], str],
    run_dirs: Mapping[str, str],
    jobstore: str | None,
    note: str,
) -> dict[int, int]:
    """Put a flow that :func:`read_flow` gave into this queue; return its new job ids by their old ones.

    What had not finished is held: READY and WAITING jobs are PAUSED.

    Parameters
    ----------
    worker_for
        The worker here for the name of a worker there.
    run_dirs
        New run folders by old ones; folders that are not named did not come along.
    """
    flow = {**records["flow"][0], "jobstore": jobstore}
    row = transaction.execute(
        f"INSERT INTO flow ({', '.join(_FLOW)}, state) VALUES ({', '.join('?' * len(_FLOW))}, 'READY') RETURNING id",
        [_stored("flow", name, flow[name]) for name in _FLOW],
    ).fetchone()
    flow_id = int(row[0])
    transaction.record_new_flow()
    ids = dict(zip((job["id"] for job in records["job"]), transaction.new_ids("job", len(records["job"])), strict=True))
    jobs = [_job(job, ids, flow_id, worker_for, run_dirs) for job in records["job"]]
    _insert(transaction, "job", (*_JOB, "flow_id"), jobs)
    for table, columns in (("job_document", _DOCUMENT), ("job_outcome", _OUTCOME)):
        _insert(transaction, table, columns, [{**item, "job_id": ids[item["job_id"]]} for item in records[table]])
    # Archives of earlier versions have none.
    environments.keep_documents(
        transaction, {item["hash"]: item["document"].encode() for item in records.get("environment", ())}
    )
    _index(transaction, flow_id, flow, {ids[item["job_id"]]: item["settings"] for item in records["job_document"]})
    _insert(
        transaction,
        "attempt",
        _ATTEMPT,
        [
            {
                **item,
                "job_id": ids[item["job_id"]],
                "worker": worker_for(item["worker"]),
                "run_dir": run_dirs.get(item["run_dir"]),
            }
            for item in records["attempt"]
        ],
    )
    edges = [(ids[edge["parent_id"]], ids[edge["child_id"]]) for edge in records["edge"] if edge["parent_id"] in ids]
    transaction.executemany("INSERT INTO edge (parent_id, child_id) VALUES (?, ?)", edges)
    known = ids | _write_retired(transaction, records, flow_id, ids, worker_for, run_dirs)
    history = [*records["event"], *records.get("retired_event", ())]
    events = [{**item, "job_id": known[item["job_id"]], "flow_id": flow_id} for item in history]
    _insert(transaction, "event", (*_EVENT, "flow_id"), events)
    count_missing(transaction, ids.values())
    for job in jobs:
        transaction.record(
            job["id"], flow_id, job["worker"], None, JobState(job["state"]), note, updated_at=job["updated_at"]
        )
    return ids


def _index(transaction: Transaction, flow_id: int, flow: Mapping[str, Any], settings: Mapping[int, str]) -> None:
    """Have jobs and flow found by their metadata."""
    held = [
        (job_id, metadata_index.tokens(orjson.loads(document).get("metadata") or {}))
        for job_id, document in settings.items()
    ]
    about_flow = orjson.loads(flow["metadata"]) if flow["metadata"] else {}
    metadata_index.insert(transaction, metadata_index.rows_of_new_flow(flow_id, about_flow, held))


def join_flows(transaction: Transaction, records: Records) -> list[str]:
    """Restore what connects a flow from :func:`write_flow` with flows that are here.

    Returns
    -------
    Uuids of jobs that are not here and had not finished, and that jobs of the flow depend on.
    """
    edges = records.get("outer_edge", [])
    here = _newest(transaction, {edge[name] for edge in edges for name in ("parent_uuid", "child_uuid")})
    ours = {job["uuid"] for job in records["job"]}
    absent, children = [], []
    for edge in edges:
        parent, child = here.get(edge["parent_uuid"]), here.get(edge["child_uuid"])
        if parent is None and JobState(edge["parent_state"]) is not JobState.COMPLETED:
            absent.append(edge["parent_uuid"])
        if parent is not None and child is not None:
            transaction.execute(
                "INSERT INTO edge (parent_id, child_id) VALUES (?, ?) ON CONFLICT DO NOTHING", (parent, child)
            )
            children.append((child, edge["child_uuid"] in ours))
    count_missing(transaction, [child for child, is_ours in children if is_ours])
    recount(transaction, [child for child, is_ours in children if not is_ours])
    return sorted(set(absent))


def _newest(transaction: Transaction, uuids: Iterable[str]) -> dict[str, int]:
    """Ids of the newest jobs with these uuids."""
    rows = transaction.execute(
        "SELECT uuid, id FROM job WHERE uuid IN (SELECT value FROM json_each(?)) ORDER BY job_index",
        (orjson.dumps(sorted(uuids)).decode(),),
    ).fetchall()
    return dict(rows)


def _write_retired(
    transaction: Transaction,
    records: Records,
    flow_id: int,
    ids: Mapping[int, int],
    worker_for: Callable[[str], str],
    run_dirs: Mapping[str, str],
) -> dict[int, int]:
    """The history of what left the flow with reruns; its new ids by its old ones."""
    retired = records["retired_job"]
    numbers = transaction.new_ids("job", len(retired))
    new_ids = dict(zip((item["job_id"] for item in retired), numbers, strict=True))
    known = {**ids, **new_ids}
    rows = []
    for item in retired:
        record = orjson.loads(item["record"])
        for attempt in record.get("attempts", ()):
            attempt.update(worker=worker_for(attempt["worker"]), run_dir=run_dirs.get(attempt["run_dir"]))
        rows.append(
            {
                **item,
                "job_id": new_ids[item["job_id"]],
                "made_by": known.get(item["made_by"]),
                "flow_id": flow_id,
                "worker": worker_for(item["worker"]),
                "run_dir": run_dirs.get(item["run_dir"]),
                "record": orjson.dumps(record).decode(),
            }
        )
    _insert(transaction, "retired_job", (*_RETIRED, "flow_id"), rows)
    if numbers:
        # No row of `job` has these numbers, and none may get them.
        transaction.set_last_id("job", max(*numbers, *ids.values()))
    return new_ids


def _job(
    job: Mapping[str, Any],
    ids: Mapping[int, int],
    flow_id: int,
    worker_for: Callable[[str], str],
    run_dirs: Mapping[str, str],
) -> dict[str, Any]:
    state = JobState(job["state"])
    return {
        **job,
        "id": ids[job["id"]],
        "flow_id": flow_id,
        "made_by": ids.get(job["made_by"]),
        "state": _BECOMES.get(state, state).value,
        "worker": job["worker"] if job["worker"] == PERSON else worker_for(job["worker"]),
        "run_dir": run_dirs.get(job["run_dir"]),
    }


def _rows(
    database: Database, table: str, columns: Sequence[str], condition: str, *parameters: int | str
) -> list[dict[str, Any]]:
    rows = database.read(f"SELECT {', '.join(columns)} FROM {table} WHERE {condition}", parameters)
    return [
        {name: bytes(value).decode() if isinstance(value, bytes | memoryview) else value for name, value in found}
        for found in (zip(columns, row, strict=True) for row in rows)
    ]


#: Columns with documents, by table.
_DOCUMENTS = {
    "flow": ("metadata",),
    "job_document": ("payload", "settings"),
    "job_outcome": ("failure", "stored_data", "exit_record", "environment"),
    "attempt": ("outcome",),
    "retired_job": ("record",),
}


def _stored(table: str, column: str, value: Any) -> Any:
    return value.encode() if isinstance(value, str) and column in _DOCUMENTS.get(table, ()) else value


def _insert(transaction: Transaction, table: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    transaction.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        [[_stored(table, column, row[column]) for column in columns] for row in rows],
    )
