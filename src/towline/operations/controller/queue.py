"""The queue of a project as an object: opening it, and finding the jobs and flows that a script means."""

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
from towline.store.document_values import Projection
from towline.store.flow_search import FlowFilter
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
#: Criteria in the language of the job store.
Query = Mapping[str, Any] | None
#: Names of fields, or ``{name: 1}`` and ``{name: 0}``.
Fields = Mapping[str, Any] | Sequence[str] | None


class ProjectQueue:
    """The queue of a project; to be closed.

    Parameters
    ----------
    opened
        The project with its database.
    """

    def __init__(self, opened: OpenProject) -> None:
        if not isinstance(opened, OpenProject):
            raise InvalidRequest(
                f"a JobController is not made of {type(opened).__name__}: the project says where its queue is. "
                "Use JobController.from_project_name(NAME)"
            )
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

    def _row(self, job_id: str | None, db_id: str | None, job_index: int | None) -> int:
        if (job_id is None) == (db_id is None):
            raise InvalidRequest("name the job either by job_id (its uuid) or by db_id")
        return selection.job_row(self._opened, str(job_id if db_id is None else db_id), job_index)

    def _wanted(
        self,
        job_ids: JobIds,
        db_ids: Texts,
        flow_ids: Texts,
        states: JobStates,
        start_date: datetime | None,
        end_date: datetime | None,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        workers: Texts,
        query: Query,
        locked: bool = False,
    ) -> JobFilter:
        return selection.job_filter(
            self._opened,
            job_ids=pairs_of(job_ids),
            db_ids=listed(db_ids),
            flow_ids=listed(flow_ids),
            states=states_of(JobState, states),
            start_date=start_date,
            end_date=end_date,
            name=name,
            metadata=metadata,
            workers=listed(workers),
            locked=locked,
            query=query,
            may_be_missing=True,
        )

    def _rows(self, *wanted: Any) -> list[int]:
        """Rows of the jobs that the arguments of :meth:`_wanted` admit."""
        return jobs.rows_of(self._opened, self._wanted(*wanted))

    def _wanted_flows(
        self,
        job_ids: Texts,
        db_ids: Texts,
        flow_ids: Texts,
        states: FlowStates,
        start_date: datetime | None,
        end_date: datetime | None,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        locked: bool,
        query: Query = None,
    ) -> FlowFilter:
        return selection.flow_filter(
            self._opened,
            job_ids=listed(job_ids),
            db_ids=listed(db_ids),
            flow_ids=listed(flow_ids),
            states=states_of(FlowState, states),
            start_date=start_date,
            end_date=end_date,
            name=name,
            metadata=metadata,
            locked=locked,
            query=query,
            may_be_missing=True,
        )

    def _flow_row(self, job_id: str | None, db_id: str | None, flow_id: str | None) -> int:
        named = [text for text in (job_id, db_id, flow_id) if text is not None]
        if len(named) != 1:
            raise InvalidRequest("name the flow by one of flow_id, or job_id or db_id of one of its jobs")
        return selection.flow_row(self._opened, str(named[0]), is_job=flow_id is None)

    def _flow(self, text: str, *, is_job: bool = False) -> flows.FlowInfo:
        return flows.flow_info(self._opened, selection.flow_row(self._opened, text, is_job=is_job), details=True)


def listed(value: Texts) -> list[str]:
    """One text or several as a list; None as an empty one."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(item) for item in value]


def states_of(kind: type[State], value: Any) -> list[State]:
    """One state or several, by themselves or by name.

    Raises
    ------
    InvalidRequest
        There is no such state.
    """
    if value is None:
        return []
    try:
        return [kind(item) for item in ([value] if isinstance(value, str) else value)]
    except ValueError as error:
        raise InvalidRequest(f"{error}; the states are {', '.join(state.value for state in kind)}") from error


def page(sort: Sorting, limit: int, skip: int = 0) -> Page:
    """The part of a list that pymongo's `sort`, `limit` and `skip` describe; in the order of creation by default."""
    if not sort:
        return Page(Sort.DB_ID, ascending=True, limit=limit, skip=skip)
    key, direction = sort[0]
    if key not in {item.value for item in Sort}:
        raise InvalidRequest(f"jobs and flows are not sorted by {key!r}; use {', '.join(item.value for item in Sort)}")
    return Page(Sort(key), ascending=direction > 0, limit=limit, skip=skip)


def if_there(look: Callable[[], Item]) -> Item | None:
    """What `look` finds, or None."""
    try:
        return look()
    except (NoSuchJob, NoSuchFlow):
        return None


def projected(document: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The fields of a document that are asked for; all of them by default."""
    return Projection(fields)(document)


def pairs_of(value: JobIds) -> list[tuple[str, int]]:
    """One ``(uuid, index)`` or several as a list."""
    if value is None:
        return []
    # One pair, or several.
    pairs: Any = [value] if len(value) == 2 and isinstance(value[0], str) else value
    return [(str(uuid), int(index)) for uuid, index in pairs]
