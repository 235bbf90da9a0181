"""The worker whose jobs run inside allocations of its scheduler."""

from collections.abc import Mapping, Sequence
from typing import Any

from towline.core.records import Assignment, BatchRecord
from towline.workers.batch.allocations import Allocations, AllocationState
from towline.workers.batch.errands import BatchErrands
from towline.workers.batch.plan import BatchPlan, prepare_job
from towline.workers.remote.folders import Prepared, Site
from towline.workers.remote.worker import RemoteWorker
from towline.workers.transports.transport import Transport


class BatchWorker(RemoteWorker):
    """Runs jobs in allocations that it submits to a scheduler, many in each.

    Parameters
    ----------
    site
        What the run folders have in common; its queue is that of the pilots, which start jobs as a shell does.
    batch
        How the scheduler is used.
    """

    def __init__(
        self,
        site: Site,
        batch: BatchPlan,
        transport: Transport,
        *,
        gone_seconds: float | None = None,
        description: object = None,
    ) -> None:
        super().__init__(site, transport, 1 << 20, description=description)
        self._batch = batch
        self._allocations = Allocations(site, batch, transport, gone_seconds)
        self._errands: BatchErrands = BatchErrands(self._board, site, transport, batch, self._allocations)

    def set_slots(self, slots: int) -> None:
        """The number of jobs is not limited here, and that of allocations makes another worker."""

    def batch_news(self) -> Sequence[BatchRecord]:
        """The allocations that changed and were not stored since."""
        return self._allocations.news()

    def batch_stored(self, records: Sequence[BatchRecord]) -> None:
        """These records of :meth:`batch_news` are stored."""
        self._allocations.stored(records)

    def status(self) -> Mapping[str, Any]:
        """As of every remote worker, with the number of allocations."""
        facts = dict(super().status())
        active = self._allocations.active
        facts["allocations"] = len(active)
        facts["allocations_running"] = sum(item.state is AllocationState.RUNNING for item in active)
        return facts

    def close(self) -> None:
        """Let go of the connection. Allocations and jobs go on."""
        super().close()
        if self._thread is None or not self._thread.is_alive():
            self._allocations.shut()

    def _prepare(self, assignment: Assignment) -> Prepared:
        return prepare_job(assignment, self.site.work_dir, self.site.python, self._batch, self.site.execution_cmd)
