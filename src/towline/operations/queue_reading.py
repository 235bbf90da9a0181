"""Reading the queue of a project from scripts; methods and parameters are named as in jobflow-remote."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from towline.configuration.choice import load_project
from towline.configuration.model import Project
from towline.core.states import FlowState, JobState
from towline.errors import InvalidRequest, NoSuchFlow, NoSuchJob
from towline.operations import flows, jobs, selection
from towline.operations.compose import OpenProject, open_given
from towline.operations.job_documents import JobDoc, job_document
from towline.operations.job_outputs import job_output
from towline.store.flow_search import FlowFilter, count_flow_states
from towline.store.job_info import FlowInfo, JobInfo
from towline.store.job_search import JobFilter, Page, Sort

if TYPE_CHECKING:
    from jobflow import JobStore

Item = TypeVar("Item")
State = TypeVar("State", JobState, FlowState)

JobIds = tuple[str, int] | Sequence[tuple[str, int]] | None
Texts = str | Sequence[str] | None
JobStates = JobState | str | Sequence[JobState | str] | None
FlowStates = FlowState | str | Sequence[FlowState | str] | None
#: ``[("updated_on", -1)]``: the first field counts, -1 is descending.
Sorting = Sequence[tuple[str, int]] | None


class QueueReader:
    """The queue of a project, for reading. To be closed.

    Parameters
    ----------
    opened
        The project with its database.
    """

    def __init__(self, opened: OpenProject) -> None:
        self._opened = opened

    @classmethod
    def from_project_name(cls, project_name: str | None = None) -> Self:
        """The queue of the project with this name, or of the chosen or only one."""
        return cls(open_given(load_project(project_name)))

    @classmethod
    def from_project(cls, project: Project) -> Self:
        """The queue of a project whose configuration is at hand."""
        return cls(open_given(project))

    @property
    def project(self) -> Project:
        """Configuration of the project."""
        return self._opened.project

    @property
    def jobstore(self) -> "JobStore":
        """The job store of the project, connected."""
        return self._opened.job_store()

    def close(self) -> None:
        """Let go of the database and of the job stores."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Reading jobs

    def get_jobs_info(
        self,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        locked: bool = False,
        sort: Sorting = None,
        limit: int = 0,
        skip: int = 0,
    ) -> list[JobInfo]:
        """The jobs that are like that; all, in the order of their creation, when nothing is given."""
        query = {
            **{"job_ids": job_ids, "db_ids": db_ids, "flow_ids": flow_ids, "states": states, "start_date": start_date},
            **{"end_date": end_date, "name": name, "metadata": metadata, "workers": workers, "locked": locked},
        }
        return jobs.list_jobs(self._opened, self._wanted(**query), _page(sort, limit, skip), details=True)

    def get_job_info(
        self, job_id: str | None = None, db_id: str | None = None, job_index: int | None = None
    ) -> JobInfo | None:
        """One job, or None."""
        return self._if_there(lambda: jobs.get_job(self._opened, self._row(job_id, db_id, job_index)))

    def get_job_info_by_pid(self, pid: int | str) -> JobInfo | None:
        """The newest job with this process or scheduler id, or None."""
        return self._if_there(lambda: jobs.get_job(self._opened, jobs.job_of_process(self._opened, str(pid))))

    def get_job_doc(
        self, job_id: str | None = None, db_id: str | None = None, job_index: int | None = None
    ) -> JobDoc | None:
        """One job with the jobflow Job in it, or None."""
        return self._if_there(lambda: job_document(self._opened, self._row(job_id, db_id, job_index)))

    def count_jobs(
        self,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        locked: bool = False,
    ) -> int:
        """Number of jobs that are like that."""
        query = {
            **{"job_ids": job_ids, "db_ids": db_ids, "flow_ids": flow_ids, "states": states, "start_date": start_date},
            **{"end_date": end_date, "name": name, "metadata": metadata, "workers": workers, "locked": locked},
        }
        return jobs.count_jobs(self._opened, self._wanted(**query))

    def count_jobs_states(self, states: JobStates, worker: str | None = None) -> dict[JobState, int]:
        """Number of jobs in each of these states."""
        return jobs.count_jobs_by_state(self._opened, _states(JobState, states), listed(worker))

    def get_job_output(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        job_index: int | None = None,
        load: bool = False,
    ) -> Any:
        """The output of a job; `load` puts in what is in additional stores."""
        row = self._row(job_id, db_id, job_index)
        return job_output(self._opened, jobs.get_job(self._opened, row), load=load)

    # Reading flows

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
        limit: int = 0,
        skip: int = 0,
    ) -> list[FlowInfo]:
        """The flows that are like that, with their jobs; all, in the order of their creation, when nothing is given."""
        query = {
            **{"job_ids": job_ids, "db_ids": db_ids, "flow_ids": flow_ids, "states": states, "start_date": start_date},
            **{"end_date": end_date, "name": name, "metadata": metadata, "locked": locked},
        }
        return flows.list_flows(self._opened, self._wanted_flows(**query), _page(sort, limit, skip), with_jobs=True)

    def count_flows(
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
    ) -> int:
        """Number of flows that are like that."""
        query = {
            **{"job_ids": job_ids, "db_ids": db_ids, "flow_ids": flow_ids, "states": states, "start_date": start_date},
            **{"end_date": end_date, "name": name, "metadata": metadata, "locked": locked},
        }
        return flows.count_flows(self._opened, self._wanted_flows(**query))

    def count_flows_states(self, states: FlowStates) -> dict[FlowState, int]:
        """Number of flows in each of these states."""
        return count_flow_states(self._opened.database, _states(FlowState, states))

    def get_flow_info_by_flow_uuid(self, flow_uuid: str) -> dict[str, Any] | None:
        """A flow as a mapping, or None."""
        return self._if_there(lambda: flows.flow_document(self._flow(flow_uuid)))

    def get_flow_info_by_job_uuid(self, job_uuid: str) -> dict[str, Any] | None:
        """The flow of a job as a mapping, or None."""
        return self._if_there(lambda: flows.flow_document(self._flow(job_uuid, is_job=True)))

    # What the methods have in common

    def _row(self, job_id: str | None, db_id: str | None, job_index: int | None) -> int:
        if (job_id is None) == (db_id is None):
            raise InvalidRequest("name the job either by job_id (its uuid) or by db_id")
        return selection.job_row(self._opened, str(job_id if db_id is None else db_id), job_index)

    def _wanted(self, **query: Any) -> JobFilter:
        return selection.job_filter(
            self._opened,
            job_ids=_pairs(query.pop("job_ids", None)),
            db_ids=listed(query.pop("db_ids", None)),
            flow_ids=listed(query.pop("flow_ids", None)),
            states=_states(JobState, query.pop("states", None)),
            workers=listed(query.pop("workers", None)),
            **query,
        )

    def _wanted_flows(self, **query: Any) -> FlowFilter:
        return selection.flow_filter(
            self._opened,
            job_ids=listed(query.pop("job_ids", None)),
            db_ids=listed(query.pop("db_ids", None)),
            flow_ids=listed(query.pop("flow_ids", None)),
            states=_states(FlowState, query.pop("states", None)),
            **query,
        )

    def _rows(self, query: Mapping[str, Any]) -> list[int]:
        return jobs.rows_of(self._opened, self._wanted(**query))

    def _flow(self, text: str, *, is_job: bool = False) -> FlowInfo:
        return flows.flow_info(self._opened, selection.flow_row(self._opened, text, is_job=is_job))

    @staticmethod
    def _if_there(look: Callable[[], Item]) -> Item | None:
        try:
            return look()
        except (NoSuchJob, NoSuchFlow):
            return None


def listed(value: Texts) -> list[str]:
    """One text or several as a list; None as an empty one."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _pairs(value: JobIds) -> list[tuple[str, int]]:
    if value is None:
        return []
    # One pair, or several.
    pairs: Any = [value] if len(value) == 2 and isinstance(value[0], str) else value
    return [(str(uuid), int(index)) for uuid, index in pairs]


def _states(kind: type[State], value: Any) -> list[State]:
    if value is None:
        return []
    return [kind(item) for item in ([value] if isinstance(value, str) else value)]


def _page(sort: Sorting, limit: int, skip: int) -> Page:
    if not sort:
        return Page(Sort.DB_ID, ascending=True, limit=limit, skip=skip)
    key, direction = sort[0]
    if key not in {item.value for item in Sort}:
        raise InvalidRequest(f"jobs and flows are not sorted by {key!r}; use {', '.join(item.value for item in Sort)}")
    return Page(Sort(key), ascending=direction > 0, limit=limit, skip=skip)
