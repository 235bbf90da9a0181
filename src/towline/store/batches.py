"""What is known of the allocations of batch workers; the truth about them is on the worker, and with its scheduler."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import orjson

from towline.core.records import BatchRecord
from towline.store.database import Database, Transaction

_COLUMNS = (
    "uid, worker, process_id, state, folder, created_at, started_at, ended_at, pinged_at, reason, jobs_ended, "
    "updated_at"
)

#: An allocation that an earlier runner submitted is told anew, and what was known of it is not forgotten. Nothing
#: comes back from its end.
_SAVE = (
    f"INSERT INTO batch ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO UPDATE SET "
    "process_id = coalesce(excluded.process_id, batch.process_id), "
    "state = CASE WHEN batch.state = 'FINISHED' OR (batch.state = 'RUNNING' AND excluded.state = 'SUBMITTED') "
    "THEN batch.state ELSE excluded.state END, "
    "started_at = coalesce(excluded.started_at, batch.started_at), "
    "ended_at = coalesce(batch.ended_at, excluded.ended_at), "
    "pinged_at = coalesce(excluded.pinged_at, batch.pinged_at), "
    "reason = coalesce(batch.reason, excluded.reason), "
    "jobs_ended = CASE WHEN excluded.jobs_ended > batch.jobs_ended THEN excluded.jobs_ended ELSE batch.jobs_ended END, "
    "updated_at = excluded.updated_at"
)


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Which allocations; what is empty admits all."""

    uids: tuple[str, ...] = ()
    process_ids: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    #: ``(uuid, index)`` and numbers of jobs that ran in them.
    job_ids: tuple[tuple[str, int], ...] = ()
    job_rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """An allocation as the queue knows it."""

    record: BatchRecord
    #: Seconds since the epoch.
    updated_at: float


def save(transaction: Transaction, records: Sequence[BatchRecord]) -> None:
    """Write what workers told of their allocations."""
    rows = [
        (
            *(item.uid, item.worker, item.process_id, item.state, item.folder, item.created_at, item.started_at),
            *(item.ended_at, item.pinged_at, item.reason, item.jobs_ended, transaction.now),
        )
        for item in records
    ]
    if rows:
        transaction.executemany(_SAVE, rows)


def find(database: Database, wanted: BatchFilter, limit: int = 0) -> list[StoredBatch]:
    """The allocations, the newest first; 0 is all of them."""
    condition, values = _condition(wanted)
    end = "" if limit == 0 else f" LIMIT {int(limit)}"
    rows = database.read(f"SELECT {_COLUMNS} FROM batch WHERE {condition} ORDER BY created_at DESC, uid{end}", values)
    return [StoredBatch(BatchRecord(*row[:-1]), row[-1]) for row in rows]


def count(database: Database, wanted: BatchFilter) -> int:
    """How many there are."""
    condition, values = _condition(wanted)
    return int(database.read(f"SELECT count(*) FROM batch WHERE {condition}", values)[0][0])


def delete(transaction: Transaction, wanted: BatchFilter) -> int:
    """Forget allocations; return how many."""
    condition, values = _condition(wanted)
    return len(transaction.execute(f"DELETE FROM batch WHERE {condition} RETURNING uid", values).fetchall())


def jobs_of(database: Database, batches: Collection[StoredBatch]) -> dict[str, list[tuple[int, str, int, str]]]:
    """``{uid: [(number, uuid, index, state) of its jobs]}``: those whose newest attempt began in it."""
    by_process = {(item.record.worker, item.record.process_id): item.record.uid for item in batches}
    ids = orjson.dumps([process for _, process in by_process if process is not None]).decode()
    rows = database.read(
        "SELECT id, uuid, job_index, state, worker, process_id FROM job WHERE process_id IS NOT NULL "
        "AND process_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (ids,),
    )
    found: dict[str, list[tuple[int, str, int, str]]] = {item.record.uid: [] for item in batches}
    for number, uuid, index, state, worker, process_id in rows:
        uid = by_process.get((worker, process_id))
        if uid is not None:
            found[uid].append((number, uuid, index, state))
    return found


def _condition(wanted: BatchFilter) -> tuple[str, tuple[object, ...]]:
    parts, values = ["1 = 1"], []
    columns = (
        ("uid", wanted.uids),
        ("process_id", wanted.process_ids),
        ("worker", wanted.workers),
        ("state", wanted.states),
    )
    for column, admitted in columns:
        if admitted:
            parts.append(f"{column} IN (SELECT value FROM json_each(?))")
            values.append(orjson.dumps(admitted).decode())
    if wanted.job_rows or wanted.job_ids:
        ran = ["job.id IN (SELECT value FROM json_each(?))"]
        values.append(orjson.dumps(wanted.job_rows).decode())
        for uuid, index in wanted.job_ids:
            ran.append("(job.uuid = ? AND job.job_index = ?)")
            values += [uuid, index]  # type: ignore[list-item]
        parts.append(
            "EXISTS (SELECT 1 FROM job WHERE job.worker = batch.worker AND job.process_id = batch.process_id "
            f"AND ({' OR '.join(ran)}))"
        )
    return " AND ".join(parts), tuple(values)
