"""A flow as rows that can leave one queue and enter another: its identity stays, the numbers of rows do not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from towline.core.records import PERSON
from towline.core.states import IN_FLIGHT, JobState
from towline.errors import IllegalMove, InvalidFlow
from towline.store.database import Database, Transaction
from towline.store.readiness import count_missing

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
    records = {
        "flow": _rows(database, "flow", _FLOW, "id = ?", flow_row),
        "job": _rows(database, "job", _JOB, "flow_id = ? ORDER BY id", flow_row),
        "job_document": _rows(database, "job_document", _DOCUMENT, f"{by_flow} ORDER BY job_id", flow_row),
        "job_outcome": _rows(database, "job_outcome", _OUTCOME, f"{by_flow} ORDER BY job_id", flow_row),
        "attempt": _rows(database, "attempt", _ATTEMPT, f"{by_flow} ORDER BY job_id, attempt", flow_row),
        "edge": _rows(
            database, "edge", ("parent_id", "child_id"), "child_id IN (SELECT id FROM job WHERE flow_id = ?)", flow_row
        ),
        "event": _rows(database, "event", _EVENT, f"{by_flow} ORDER BY id", flow_row),
        "retired_job": _rows(database, "retired_job", _RETIRED, "flow_id = ? ORDER BY job_id", flow_row),
    }
    flying = [job for job in records["job"] if JobState(job["state"]) in IN_FLIGHT]
    if flying:
        named = ", ".join(f"{job['id']} ({job['state']})" for job in flying[:5])
        raise IllegalMove(
            f"{len(flying)} jobs of the flow are with a worker: {named}. Wait for them (tow wait), or stop them "
            "(tow job stop --flow-id ID)"
        )
    return records


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
    ids = dict(zip((job["id"] for job in records["job"]), transaction.new_ids("job", len(records["job"])), strict=True))
    jobs = [_job(job, ids, flow_id, worker_for, run_dirs) for job in records["job"]]
    _insert(transaction, "job", (*_JOB, "flow_id"), jobs)
    for table, columns in (("job_document", _DOCUMENT), ("job_outcome", _OUTCOME)):
        _insert(transaction, table, columns, [{**item, "job_id": ids[item["job_id"]]} for item in records[table]])
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
    events = [{**item, "job_id": ids[item["job_id"]], "flow_id": flow_id} for item in records["event"]]
    _insert(transaction, "event", (*_EVENT, "flow_id"), events)
    count_missing(transaction, ids.values())
    for job in jobs:
        transaction.record(job["id"], flow_id, job["worker"], None, JobState(job["state"]), note)
    return ids


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
    database: Database, table: str, columns: Sequence[str], condition: str, parameter: int
) -> list[dict[str, Any]]:
    rows = database.read(f"SELECT {', '.join(columns)} FROM {table} WHERE {condition}", (parameter,))
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
}


def _stored(table: str, column: str, value: Any) -> Any:
    return value.encode() if isinstance(value, str) and column in _DOCUMENTS.get(table, ()) else value


def _insert(transaction: Transaction, table: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    transaction.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        [[_stored(table, column, row[column]) for column in columns] for row in rows],
    )
