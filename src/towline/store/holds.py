"""Steps that wait for a person: what they ask, and the decision."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from towline.core.actions import Action, Refusal, decide
from towline.core.ports import Outputs
from towline.core.records import HOLD, PERSON, Failure
from towline.core.states import JobState
from towline.errors import IllegalMove
from towline.store.affected import ActionResult, AffectedJob, affected, move
from towline.store.database import Database, Transaction
from towline.store.jobs import release_children
from towline.store.readiness import id_list


@dataclass(frozen=True, slots=True)
class Hold:
    """A step that waits for a person, or did."""

    id: int
    uuid: str
    index: int
    name: str
    #: Name of the job store of its flow.
    jobstore: str | None
    #: What is to be decided.
    text: str
    metadata: Mapping[str, Any]
    hosts: Sequence[str]


def holds(database: Database | Transaction, job_ids: Sequence[int]) -> dict[int, Hold]:
    """Those of these jobs that are holds, by id."""
    sql = (
        "SELECT job.id, job.uuid, job_index, job.name, jobstore, payload, settings FROM job "
        "JOIN flow ON flow.id = job.flow_id JOIN job_document ON job_document.job_id = job.id "
        f"WHERE payload_kind = '{HOLD}' AND job.id IN (SELECT value FROM json_each(?))"
    )
    listed = (id_list(job_ids),)
    rows = database.read(sql, listed) if isinstance(database, Database) else database.execute(sql, listed).fetchall()
    found = {}
    for job_id, uuid, index, name, jobstore, payload, document in rows:
        settings = orjson.loads(document)
        text = str(orjson.loads(payload)["text"])
        found[job_id] = Hold(job_id, uuid, index, name, jobstore, text, settings["metadata"], settings["hosts"])
    return found


def hold_text(database: Database, job_id: int) -> str | None:
    """What a hold asks; None when the job is none."""
    found = holds(database, [job_id])
    return found[job_id].text if job_id in found else None


def waiting_holds(database: Database, flow_ids: Sequence[int] = ()) -> list[tuple[int, int, str]]:
    """``(job id, flow id, name)`` of the holds whose turn it is, oldest first; of these flows, or of all."""
    condition = "AND flow_id IN (SELECT value FROM json_each(?)) " if flow_ids else ""
    return [
        (job_id, flow_id, name)
        for job_id, flow_id, name in database.read(
            f"SELECT id, flow_id, name FROM job WHERE state = 'READY' AND worker = ? {condition}ORDER BY id",
            (PERSON, *((id_list(flow_ids),) if flow_ids else ())),
        )
    ]


def sort_out_holds(transaction: Transaction, job_ids: Sequence[int], action: Action) -> tuple[list[AffectedJob], Any]:
    """The holds that can be decided now, and the refusals of the others."""
    known = holds(transaction, job_ids)
    possible: list[AffectedJob] = []
    refused: dict[int, IllegalMove] = {}
    for job in affected(transaction, job_ids):
        decision = decide(action, job.state)
        if job.id not in known:
            refused[job.id] = IllegalMove(
                f"job {job.db_id} waits for nobody's decision: `{action.value}` is for steps made with "
                "towline.hold(...). "
                f"To look at it: tow job info {job.db_id}"
            )
        elif isinstance(decision, Refusal):
            refused[job.id] = decision.error(job.db_id)
        else:
            possible.append(job)
    return possible, refused


def approve(
    transaction: Transaction,
    job_ids: Sequence[int],
    outputs: Mapping[int, bytes],
    outputs_of: Callable[[str | None], Outputs],
    note: str,
) -> ActionResult:
    """Let the flow go on after these holds.

    Parameters
    ----------
    outputs
        The output document of each. Those of job stores outside this database have been stored before.
    """
    jobs, refused = sort_out_holds(transaction, job_ids, Action.APPROVE)
    known = holds(transaction, [job.id for job in jobs])
    for job in jobs:
        store = outputs_of(known[job.id].jobstore)
        if store.transactional:
            store.store(transaction, outputs[job.id], ())
    _end(transaction, jobs, JobState.COMPLETED, note)
    return ActionResult(tuple(job.id for job in jobs), refused)


def reject(transaction: Transaction, job_ids: Sequence[int], failure: Failure) -> ActionResult:
    """Fail these holds: what comes after them does not run."""
    jobs, refused = sort_out_holds(transaction, job_ids, Action.REJECT)
    transaction.executemany(
        "INSERT INTO job_outcome (job_id, failure) VALUES (?, ?) "
        "ON CONFLICT (job_id) DO UPDATE SET failure = excluded.failure",
        [(job.id, orjson.dumps(asdict(failure))) for job in jobs],
    )
    transaction.executemany("UPDATE job SET reason = ? WHERE id = ?", [(failure.reason, job.id) for job in jobs])
    _end(transaction, jobs, JobState.FAILED, failure.message)
    return ActionResult(tuple(job.id for job in jobs), refused)


def _end(transaction: Transaction, jobs: Sequence[AffectedJob], state: JobState, note: str) -> None:
    move(transaction, jobs, {job.id: state for job in jobs}, note)
    transaction.execute(
        "UPDATE job SET ended_at = ? WHERE id IN (SELECT value FROM json_each(?))",
        (transaction.now, id_list(job.id for job in jobs)),
    )
    release_children(transaction, {job.id: state for job in jobs})
