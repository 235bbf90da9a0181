"""Ending allocations of batch workers, at once or gently."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from towline.core.records import BatchRecord
from towline.errors import ConfigurationError
from towline.operations.batches import BatchDoc, BatchState, explanation
from towline.store import batches

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


@dataclass(slots=True)
class EndedBatches:
    """What came of asking allocations to end; sentences by uid."""

    #: What was done, and what happens now.
    done: dict[str, str] = field(default_factory=dict)
    #: Why nothing was done: it is over already, or its worker is not configured any more.
    refused: dict[str, str] = field(default_factory=dict)


#: How long to wait until an allocation that was cancelled is over.
_CANCEL_SECONDS = 30.0


def cancel_batches(
    opened: "OpenProject", wanted: Sequence[BatchDoc], *, wait_seconds: float = _CANCEL_SECONDS
) -> EndedBatches:
    """End allocations now: their jobs that run are handed back, and run again as new attempts.

    Raises
    ------
    WorkerError
        A worker cannot be reached, or did not answer.
    """
    return _end(opened, wanted, gently=False, wait_seconds=wait_seconds)


def drain_batches(
    opened: "OpenProject", wanted: Sequence[BatchDoc], *, wait_seconds: float = _CANCEL_SECONDS
) -> EndedBatches:
    """Let allocations take no further jobs, and end with those that run; what had not begun leaves the queue.

    Raises
    ------
    WorkerError
        A worker cannot be reached, or did not answer.
    """
    return _end(opened, wanted, gently=True, wait_seconds=wait_seconds)


def _end(opened: "OpenProject", wanted: Sequence[BatchDoc], *, gently: bool, wait_seconds: float) -> EndedBatches:
    ended = EndedBatches()
    by_worker: dict[str, list[BatchDoc]] = {}
    for batch in wanted:
        if batch.batch_state is BatchState.FINISHED:
            ended.refused[batch.batch_uid] = f"{_name(batch)} is over already: {explanation(batch)}"
        else:
            by_worker.setdefault(batch.worker, []).append(batch)
    for worker, group in by_worker.items():
        try:
            opened.project.worker(worker)
        except ConfigurationError as error:
            ended.refused |= {batch.batch_uid: f"{_name(batch)} cannot be reached: {error}" for batch in group}
        else:
            _end_on_worker(opened, worker, group, ended, gently=gently, wait_seconds=wait_seconds)
    return ended


def _end_on_worker(
    opened: "OpenProject", worker: str, group: list[BatchDoc], ended: EndedBatches, *, gently: bool, wait_seconds: float
) -> None:
    # Transports and schedulers take as long to load as a whole list takes to read.
    from towline.on_worker.batch.wishes import Wish
    from towline.operations.workers import allocation_endings

    wish = Wish.DRAIN if gently else Wish.CANCEL
    endings = allocation_endings(opened.project, worker, opened.transport(worker))
    asked = endings.ask([batch.batch_uid for batch in group], wish, getpass.getuser(), wait_seconds=wait_seconds)
    seen = {record.uid: record for record in asked.records}
    records = []
    for batch in group:
        uid = batch.batch_uid
        if uid not in asked.told:
            gone = f"its folder {batch.run_dir} is not there any more; `tow worker check {worker}`"
            ended.refused[uid] = f"{_name(batch)} cannot be told: {gone}"
            continue
        ended.done[uid] = f"{_name(batch)} {_what_happens(batch, asked.never_began, asked.over, gently=gently)}"
        reason = "drained" if gently and uid not in asked.never_began else "cancelled"
        records.append(replace(seen.get(uid) or _record(batch), reason=reason))
    with opened.database.transaction() as transaction:
        batches.save(transaction, records)
    opened.wake_runner()


def _what_happens(batch: BatchDoc, never_began: frozenset[str], over: frozenset[str], *, gently: bool) -> str:
    uid, running = batch.batch_uid, len(batch.running)
    if uid in never_began or (uid in over and batch.batch_state is BatchState.SUBMITTED and not running):
        return "had not begun, and was taken out of the queue"
    if gently:
        with_them = f"ends with the {_jobs(running)} that run" if running else "ends"
        return f"takes no further jobs, and {with_them}"
    back = f"; {_jobs(running)} that ran in it go back to READY and run again" if running else ""
    return f"has ended{back}" if uid in over else f"was told to end, and has not yet{back}"


def _name(batch: BatchDoc) -> str:
    return f"allocation {batch.process_id or batch.batch_uid[:8]} of worker {batch.worker}"


def _jobs(count: int) -> str:
    return f"{count} job" if count == 1 else f"{count} jobs"


def _record(batch: BatchDoc) -> BatchRecord:
    return BatchRecord(
        uid=batch.batch_uid,
        worker=batch.worker,
        process_id=batch.process_id,
        state=batch.batch_state.value,
        folder=batch.run_dir,
        created_at=batch.created_on.timestamp(),
        jobs_ended=batch.jobs_ended,
    )
