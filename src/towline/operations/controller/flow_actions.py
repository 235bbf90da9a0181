"""Acting on flows from scripts; methods and parameters are named as in jobflow-remote.

`wait` and `break_lock` are accepted and have no meaning: there are no locks to wait for or to break.
"""

from datetime import date

from towline.operations import flows
from towline.operations.controller.queue import ProjectQueue, Texts, listed
from towline.store.flow_search import FlowFilter


class FlowActions(ProjectQueue):
    """What can be done to flows."""

    def resume_flow(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        flow_id: str | None = None,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> int:
        """Undo pause and stop in a whole flow; return the number of jobs that were changed."""
        return flows.resume_flow(self._opened, self._flow_row(job_id, db_id, flow_id))

    def delete_flow(
        self,
        flow_id: str,
        delete_output: bool = False,
        delete_files: bool = False,
        cancel_processes: bool = True,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> bool:
        """Take a flow out of the queue; False when there is none. What runs is always ended."""
        rows = flows.flow_rows(self._opened, FlowFilter(flow_ids=(flow_id,)))
        flows.delete_flows(self._opened, rows, outputs=delete_output, files=delete_files)
        return bool(rows)

    def delete_flows(
        self,
        flow_ids: Texts = None,
        max_limit: int = 10,
        delete_output: bool = False,
        delete_files: bool = False,
        cancel_processes: bool = True,
        raise_on_error: bool = False,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> list[str]:
        """Take flows out of the queue, all when none is named; return their uuids. What runs is always ended.

        Raises
        ------
        InvalidRequest
            There are more than `max_limit`; 0 is no limit.
        """
        wanted = FlowFilter() if flow_ids is None else FlowFilter(flow_ids=tuple(listed(flow_ids)) or ("",))
        rows = flows.flow_rows(self._opened, wanted)
        deleted = flows.delete_flows(self._opened, rows, max_limit=max_limit, outputs=delete_output, files=delete_files)
        return list(deleted.flow_ids)

    def set_flow_store(
        self,
        store: str | None,
        db_id: str | None = None,
        job_id: str | None = None,
        flow_id: str | None = None,
    ) -> None:
        """Choose the optional job store for the outputs of a flow that has not begun; None is the project's own."""
        flows.set_flow_store(self._opened, self._flow_row(job_id, db_id, flow_id), store)

    def reset(self, reset_output: bool = False, max_limit: int = 25, validation: str | None = None) -> bool:
        """Take all flows out of the queue; what runs is ended.

        Parameters
        ----------
        reset_output
            Delete the outputs of all jobs too.
        max_limit
            With more flows than this, nothing is done unless `validation` is the date of today, as ``2024-03-01``;
            0 is no limit.

        Returns
        -------
        Whether it was done.
        """
        rows = flows.flow_rows(self._opened, FlowFilter())
        if max_limit and len(rows) > max_limit and validation != date.today().isoformat():
            return False
        flows.delete_flows(self._opened, rows, outputs=reset_output)
        return True
