"""Allocations of batch workers, as the runner was told of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from towline.core.states import IN_FLIGHT, JobState
from towline.errors import InvalidRequest, NoSuchBatch
from towline.operations.selection import job_filter
from towline.store import batches
from towline.store.batches import BatchFilter, StoredBatch

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


class BatchState(str, Enum):
    """How far an allocation is."""

    SUBMITTED = "SUBMITTED"  #: waits in the queue of its scheduler
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A job that ran, or runs, in an allocation."""

    db_id: str
    uuid: str
    index: int
    state: JobState


@dataclass(frozen=True, slots=True)
class BatchDoc:
    """One allocation."""

    batch_uid: str
    #: Id of the scheduler.
    process_id: str | None
    batch_state: BatchState
    worker: str
    #: Jobs whose newest attempt began in it.
    jobs: tuple[BatchJob, ...]
    created_on: datetime
    updated_on: datetime
    start_time: datetime | None
    end_time: datetime | None
    last_ping_time: datetime | None
    #: Its folder on the worker.
    run_dir: str
    #: Why it ended.
    reason: str | None
    #: How many jobs its pilots ran to their ends, earlier attempts included.
    jobs_ended: int

    @property
    def running(self) -> list[BatchJob]:
        """Jobs that run in it, as far as the runner was told."""
        return [job for job in self.jobs if job.state is JobState.BATCH_RUNNING]


def batch_filter(
    opened: "OpenProject",
    *,
    process_ids: Iterable[str] = (),
    batch_uids: Iterable[str] = (),
    workers: Iterable[str] = (),
    states: Iterable[BatchState] = (),
    job_ids: Iterable[str | tuple[str, int]] = (),
    db_ids: Iterable[str] = (),
) -> BatchFilter:
    """A filter from ids as users type them.

    Raises
    ------
    InvalidRequest
        A job id is not UUID:INDEX, or a db_id is none.
    """
    wanted = job_filter(opened, job_ids=job_ids, db_ids=db_ids, may_be_missing=True)
    if any(index is None for _, index in wanted.job_ids):
        raise InvalidRequest("the index of a job is missing; write UUID:INDEX")
    return BatchFilter(
        uids=tuple(batch_uids),
        process_ids=tuple(process_ids),
        workers=tuple(workers),
        states=tuple(state.value for state in states),
        job_ids=tuple((uuid, int(index or 0)) for uuid, index in wanted.job_ids),
        job_rows=tuple(wanted.db_ids),
    )


def list_batches(opened: "OpenProject", wanted: BatchFilter, limit: int = 20) -> list[BatchDoc]:
    """Allocations, the newest first; 0 is all of them."""
    return _documents(opened, batches.find(opened.database, wanted, limit))


def one_batch(opened: "OpenProject", selected_id: str) -> BatchDoc:
    """The allocation with this id of its scheduler, or this uid or beginning of one.

    Raises
    ------
    NoSuchBatch
        There is none, or there are several.
    """
    return _documents(opened, [_found(opened, selected_id)])[0]


def chosen_batches(opened: "OpenProject", selected_ids: Iterable[str]) -> list[BatchDoc]:
    """The allocations with these ids, as :func:`one_batch` finds each, every one once.

    Raises
    ------
    NoSuchBatch
        One of the ids is that of none, or of several.
    """
    found = {item.record.uid: item for item in (_found(opened, one) for one in selected_ids)}
    return _documents(opened, list(found.values()))


def count_batches(opened: "OpenProject", wanted: BatchFilter) -> int:
    """How many there are."""
    return batches.count(opened.database, wanted)


def delete_batches(opened: "OpenProject", wanted: BatchFilter) -> int:
    """Forget records of allocations; nothing is cancelled. Return how many."""
    with opened.database.transaction() as transaction:
        return batches.delete(transaction, wanted)


def explanation(batch: BatchDoc) -> str:
    """How an allocation fares, or why it ended, in a sentence."""
    # Its pilots tell every few seconds; what the queue knows of its jobs may be newer.
    known = sum(job.state not in IN_FLIGHT for job in batch.jobs)
    ended, running = f"{_jobs(max(batch.jobs_ended, known))} ended in it", len(batch.running)
    if batch.batch_state is BatchState.SUBMITTED:
        if batch.reason is None:
            return "it waits in the queue of its scheduler"
        return "it was told to end before it began"
    if batch.batch_state is BatchState.RUNNING:
        return f"{_ENDING.get(batch.reason or '', '')}{_jobs(running)} run in it, {ended}"
    if batch.start_time is None:
        return f"it {_ENDS.get(batch.reason or '', 'ended')} before it began"
    back = _AFTERWARDS if batch.reason in _HANDS_BACK else ""
    return f"it {_ENDS.get(batch.reason or '', f'ended ({batch.reason})')}; {ended}{back}"


_ENDING = {
    "drained": "it takes no further jobs and ends with those that run; ",
    "cancelled": "it is being ended; ",
}
_ENDS = {
    "": "ended by itself",
    "exited": "ended by itself",
    "idle": "ended because nothing was left to do",
    "max_jobs": "ended after max_jobs_per_batch jobs",
    "max_time": "began no job after max_time, and ended with the last of its jobs",
    "time_limit": "ended shortly before its time limit",
    "drained": "was drained (tow batch drain), and ended with the last of its jobs",
    "cancelled": "was cancelled",
    "failed": "failed: its pilots ended before their time, see queue.err and node*/pilot.log in its folder",
    "timeout": "was ended by its scheduler at its time limit",
    "node_failure": "lost a node",
    "preempted": "had to make room for another job of its scheduler",
    "out_of_memory": "used more memory than the resources of its worker ask for",
    "vanished": "is gone, and neither its scheduler nor its folder tells how it ended",
}
_HANDS_BACK = frozenset(_ENDS) - {"", "exited", "idle", "max_jobs", "max_time", "drained"}
_AFTERWARDS = ", and what ran then was handed back to run again"


def _jobs(count: int) -> str:
    return f"{count} job" if count == 1 else f"{count} jobs"


def _found(opened: "OpenProject", selected_id: str) -> StoredBatch:
    found = batches.find(opened.database, BatchFilter(process_ids=(selected_id,))) or [
        item for item in batches.find(opened.database, BatchFilter()) if item.record.uid.startswith(selected_id)
    ]
    if len(found) != 1 or not selected_id:
        what = "no allocation has" if not found else f"{len(found)} allocations have"
        raise NoSuchBatch(f"{what} the id {selected_id!r}; `tow batch list` shows the newest ones")
    return found[0]


def _documents(opened: "OpenProject", found: list[StoredBatch]) -> list[BatchDoc]:
    jobs = batches.jobs_of(opened.database, found)
    return [_document(opened, item, jobs[item.record.uid]) for item in found]


def _document(opened: "OpenProject", found: StoredBatch, jobs: list[tuple[int, str, int, str]]) -> BatchDoc:
    record = found.record
    return BatchDoc(
        batch_uid=record.uid,
        process_id=record.process_id,
        batch_state=BatchState(record.state),
        worker=record.worker,
        jobs=tuple(BatchJob(opened.db_id(number), uuid, index, JobState(state)) for number, uuid, index, state in jobs),
        created_on=datetime.fromtimestamp(record.created_at, UTC),
        updated_on=datetime.fromtimestamp(found.updated_at, UTC),
        start_time=_moment(record.started_at),
        end_time=_moment(record.ended_at),
        last_ping_time=_moment(record.pinged_at),
        run_dir=record.folder,
        reason=record.reason,
        jobs_ended=record.jobs_ended,
    )


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
