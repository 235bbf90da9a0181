"""Jobs that left the queue because the job that made them runs again: everything that was known of them is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from towline.core.states import JobState
from towline.store.affected import AffectedJob
from towline.store.database import Database, Transaction
from towline.store.job_info import moment
from towline.store.readiness import id_list


@dataclass(frozen=True, slots=True)
class RetiredJob:
    """A job of an earlier attempt of the job that made it."""

    id: int
    uuid: str
    index: int
    attempt: int
    name: str
    state: JobState
    worker: str
    run_dir: str | None
    #: The job that made it.
    made_by: int | None
    retired_at: datetime | None
    #: settings, failure, exit record and earlier attempts.
    record: Mapping[str, Any]


_COLUMNS = "job_id, uuid, job_index, attempt, name, state, worker, run_dir, made_by, retired_at, record"


def keep_history(transaction: Transaction, jobs: Sequence[AffectedJob]) -> None:
    """Put `jobs`, which are about to leave the queue, with all their attempts into the history."""
    listed = id_list(job.id for job in jobs)
    attempts = _attempts(transaction, listed)
    rows = transaction.execute(
        "SELECT job.id, uuid, job_index, attempt, flow_id, name, state, worker, run_dir, made_by, "
        "settings, failure, stored_data, exit_record, environment FROM job "
        "JOIN job_document ON job_document.job_id = job.id LEFT JOIN job_outcome ON job_outcome.job_id = job.id "
        "WHERE job.id IN (SELECT value FROM json_each(?))",
        (listed,),
    ).fetchall()
    names = ("settings", "failure", "stored_data", "exit_record", "environment")
    kept = []
    for row in rows:
        record = {name: orjson.loads(part) for name, part in zip(names, row[10:], strict=True) if part is not None}
        record["attempts"] = attempts.get(row[0], [])
        kept.append((*row[:10], transaction.now, orjson.dumps(record)))
    transaction.executemany(
        "INSERT INTO retired_job (job_id, uuid, job_index, attempt, flow_id, name, state, worker, run_dir, made_by, "
        "retired_at, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        kept,
    )


def made_earlier(database: Database, maker_id: int) -> list[RetiredJob]:
    """The jobs that earlier attempts of a job made, oldest first."""
    rows = database.read(f"SELECT {_COLUMNS} FROM retired_job WHERE made_by = ? ORDER BY job_id", (maker_id,))
    return [_retired(row) for row in rows]


def _retired(row: Sequence[Any]) -> RetiredJob:
    (job_id, uuid, index, attempt, name, state, worker, run_dir, made_by, retired_at, record) = row
    return RetiredJob(
        *(job_id, uuid, index, attempt, name, JobState(state), worker, run_dir, made_by),
        *(moment(retired_at), orjson.loads(record)),
    )


def _attempts(transaction: Transaction, listed: str) -> dict[int, list[dict[str, Any]]]:
    rows = transaction.execute(
        "SELECT job_id, attempt, state, worker, run_dir, started_at, ended_at, outcome FROM attempt "
        "WHERE job_id IN (SELECT value FROM json_each(?)) ORDER BY job_id, attempt",
        (listed,),
    ).fetchall()
    found: dict[int, list[dict[str, Any]]] = {}
    names = ("attempt", "state", "worker", "run_dir", "started_at", "ended_at")
    for job_id, *columns, outcome in rows:
        facts = dict(zip(names, columns, strict=True))
        found.setdefault(job_id, []).append({**facts, "outcome": orjson.loads(outcome) if outcome else {}})
    return found
