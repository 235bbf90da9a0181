"""Batch processes: the allocations of batch workers."""

from collections.abc import Sequence

from towline.errors import InvalidRequest, NoSuchBatch
from towline.operations import batch_endings, batches
from towline.operations.batch_endings import EndedBatches
from towline.operations.batches import BatchDoc, BatchState
from towline.operations.controller.queue import JobIds, ProjectQueue, Sorting, Texts, listed, pairs_of
from towline.store.batches import BatchFilter

BatchStates = BatchState | str | Sequence[BatchState | str] | None


class BatchProcesses(ProjectQueue):
    """Reading and forgetting the records of batch processes, and ending these."""

    def get_batches(
        self,
        process_id: Texts = None,
        batch_uid: Texts = None,
        worker: Texts = None,
        batch_state: BatchStates = None,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        limit: int = 20,
        sort: Sorting = None,
    ) -> list[BatchDoc]:
        """Batch processes, the newest first.

        Parameters
        ----------
        limit
            How many at most; 0 is all.
        sort
            ``[(field of BatchDoc, 1 or -1)]`` in place of that order.
        """
        wanted = self._wanted_batches(process_id, batch_uid, worker, batch_state, job_ids, db_ids)
        found = batches.list_batches(self._opened, wanted, 0 if sort else limit)
        for field, direction in reversed(sort or ()):
            found.sort(key=lambda item: _sortable(getattr(item, field)), reverse=direction < 0)
        return found[:limit] if sort and limit else found

    def count_batches(
        self,
        process_id: Texts = None,
        batch_uid: Texts = None,
        worker: Texts = None,
        batch_state: BatchStates = None,
        job_ids: JobIds = None,
        db_ids: Texts = None,
    ) -> int:
        """How many batch processes there are."""
        wanted = self._wanted_batches(process_id, batch_uid, worker, batch_state, job_ids, db_ids)
        return batches.count_batches(self._opened, wanted)

    def delete_batches(
        self,
        process_id: Texts = None,
        batch_uid: Texts = None,
        worker: Texts = None,
        batch_state: BatchStates = None,
    ) -> int:
        """Forget records of batch processes; nothing is cancelled. Return how many."""
        wanted = self._wanted_batches(process_id, batch_uid, worker, batch_state, None, None)
        return batches.delete_batches(self._opened, wanted)

    def cancel_batches(self, *batch_ids: str) -> EndedBatches:
        """End batch processes now, by process id or batch uid; their jobs that run are handed back and run again.

        Raises
        ------
        NoSuchBatch
            One of the ids is that of none, or of several.
        WorkerError
            A worker cannot be reached, or did not answer.
        """
        return batch_endings.cancel_batches(self._opened, batches.chosen_batches(self._opened, batch_ids))

    def drain_batches(self, *batch_ids: str) -> EndedBatches:
        """Let batch processes take no further jobs, and end with those that run.

        Raises
        ------
        NoSuchBatch
            One of the ids is that of none, or of several.
        WorkerError
            A worker cannot be reached, or did not answer.
        """
        return batch_endings.drain_batches(self._opened, batches.chosen_batches(self._opened, batch_ids))

    def get_batch_process_id(self, batch_uid: str) -> tuple[str | None, str]:
        """Id of the scheduler of a batch process, and its worker.

        Raises
        ------
        NoSuchBatch
            There is no such batch process.
        """
        found = batches.list_batches(self._opened, batches.batch_filter(self._opened, batch_uids=[batch_uid]))
        if not found:
            raise NoSuchBatch(f"no batch process has the uid {batch_uid!r}; `tow batch list` shows the newest ones")
        return found[0].process_id, found[0].worker

    def _wanted_batches(
        self,
        process_id: Texts,
        batch_uid: Texts,
        worker: Texts,
        batch_state: BatchStates,
        job_ids: JobIds,
        db_ids: Texts,
    ) -> BatchFilter:
        return batches.batch_filter(
            self._opened,
            process_ids=listed(process_id),
            batch_uids=listed(batch_uid),
            workers=listed(worker),
            states=_states(batch_state),
            job_ids=pairs_of(job_ids),
            db_ids=listed(db_ids),
        )


def _states(given: BatchStates) -> list[BatchState]:
    names = [given] if isinstance(given, str) else given or ()
    try:
        return [BatchState(name) for name in names]
    except ValueError as error:
        states = ", ".join(state.value for state in BatchState)
        raise InvalidRequest(f"{error}; the states are {states}") from error


def _sortable(value: object) -> tuple[bool, object]:
    return value is not None, value if value is not None else 0
