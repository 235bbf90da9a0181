"""Reading flows from scripts; methods and parameters are named as in jobflow-remote."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from towline.core.states import FlowState
from towline.operations import flows
from towline.operations.controller.queue import (
    Fields,
    FlowStates,
    ProjectQueue,
    Query,
    Sorting,
    Texts,
    if_there,
    page,
    projected,
    states_of,
)
from towline.store.flow_search import count_flow_states, with_job_lists
from towline.store.job_info import FlowInfo


class FlowReading(ProjectQueue):
    """What there is to know about flows.

    Flows are looked for as jobs are: see :class:`towline.operations.controller.job_reading.JobReading`.
    """

    def get_flows_info(
        self,
        job_ids: Texts = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: FlowStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        locked: bool = False,
        sort: Sorting = None,
        jobs_sort: Sorting = None,
        limit: int = 0,
        skip: int = 0,
        with_jobs_info: bool | Sequence[str] = False,
    ) -> list[FlowInfo]:
        """The flows that are like that, with their jobs; all, in the order of their creation, when nothing is given.

        Parameters
        ----------
        jobs_sort
            Order of the jobs in each flow; that of their creation by default.
        with_jobs_info
            Load errors, metadata and the like of every job too; names of fields load all of them.
        """
        wanted = self._wanted_flows(job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, locked)
        found = flows.list_flows(self._opened, wanted, page(sort, limit, skip))
        return with_job_lists(
            self._opened.database,
            found,
            prefix=self._opened.db_id_prefix,
            page=page(jobs_sort, 0),
            details=bool(with_jobs_info),
        )

    def count_flows(
        self,
        query: Query = None,
        job_ids: Texts = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: FlowStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        locked: bool = False,
    ) -> int:
        """Number of flows that are like that."""
        wanted = self._wanted_flows(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, locked, query
        )
        return flows.count_flows(self._opened, wanted)

    def count_flows_states(self, states: FlowStates) -> dict[FlowState, int]:
        """Number of flows in each of these states."""
        return count_flow_states(self._opened.database, states_of(FlowState, states))

    def get_flow_info_by_flow_uuid(self, flow_uuid: str, projection: Fields = None) -> dict[str, Any] | None:
        """A flow as a mapping, or None."""
        return if_there(lambda: projected(flows.flow_document(self._flow(flow_uuid)), projection))

    def get_flow_info_by_job_uuid(self, job_uuid: str, projection: Fields = None) -> dict[str, Any] | None:
        """The flow of a job as a mapping, or None."""
        return if_there(lambda: projected(flows.flow_document(self._flow(job_uuid, is_job=True)), projection))

    def get_flow_store(self, flow_id: str) -> str | None:
        """Name of the optional job store that a flow uses; None for the project's own."""
        return self._flow(flow_id).jobstore
