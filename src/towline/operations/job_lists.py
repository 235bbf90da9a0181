"""What a user can ask about many jobs at once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from towline.core.states import JobState
from towline.errors import NoSuchJob
from towline.store import job_search
from towline.store.job_info import JobInfo
from towline.store.job_search import JobFilter, Page, Sort

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

__all__ = [
    "JobFilter",
    "JobInfo",
    "Page",
    "Sort",
    "count_jobs",
    "count_jobs_by_state",
    "get_job",
    "list_jobs",
    "rows_of",
]


def list_jobs(
    opened: "OpenProject", wanted: JobFilter, page: Page | None = None, *, details: bool = False
) -> list[JobInfo]:
    """Jobs that `wanted` admits; the newest first unless `page` says otherwise."""
    return job_search.find_jobs(opened.database, wanted, page, prefix=opened.db_id_prefix, details=details)


def count_jobs(opened: "OpenProject", wanted: JobFilter) -> int:
    """Number of jobs that `wanted` admits."""
    return job_search.count_jobs(opened.database, wanted)


def count_jobs_by_state(
    opened: "OpenProject", states: Sequence[JobState] = (), workers: Sequence[str] = ()
) -> dict[JobState, int]:
    """Number of jobs in each state; states without jobs are missing unless asked for."""
    return job_search.count_states(opened.database, states, workers)


def get_job(opened: "OpenProject", row: int) -> JobInfo:
    """One job with its details.

    Raises
    ------
    NoSuchJob
        It was deleted meanwhile.
    """
    found = list_jobs(opened, JobFilter(db_ids=(row,)), details=True)
    if not found:
        raise NoSuchJob(f"job {opened.db_id_prefix}{row} is not in the queue any more")
    return found[0]


def rows_of(opened: "OpenProject", wanted: JobFilter) -> list[int]:
    """Rows of all jobs that `wanted` admits."""
    return job_search.find_job_ids(opened.database, wanted)
