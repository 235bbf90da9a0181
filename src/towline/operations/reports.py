"""How the jobs and flows of a project fare: counts, trends, what runs longest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import Enum
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from towline.core.states import IN_FLIGHT, FlowState, JobState
from towline.errors import InvalidRequest
from towline.operations.jobs import JobInfo, count_jobs_by_state, list_jobs
from towline.store import trends
from towline.store.flow_search import count_flow_states
from towline.store.job_search import JobFilter

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

State = TypeVar("State", JobState, FlowState)

_LONGEST = 5
_MOST_INTERVALS = 400
_JOB_TRENDS = (JobState.COMPLETED, JobState.FAILED, JobState.REMOTE_ERROR)
_FLOW_TRENDS = (FlowState.COMPLETED, FlowState.FAILED)
_RUNNING = (JobState.RUNNING, JobState.BATCH_RUNNING)


class Interval(str, Enum):
    """The span of time that one row of a trend is about."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"  #: from Monday on
    MONTHS = "months"
    YEARS = "years"


#: How many intervals a report shows, and how one is called.
_INTERVALS: Mapping[Interval, tuple[int, str]] = {
    Interval.HOURS: (12, "%Y-%m-%d %H"),
    Interval.DAYS: (7, "%Y-%m-%d"),
    Interval.WEEKS: (4, "%G-W%V"),
    Interval.MONTHS: (12, "%Y-%m"),
    Interval.YEARS: (3, "%Y"),
}


@dataclass(frozen=True, slots=True)
class JobsReport:
    """How the jobs of a project fare."""

    #: Number of jobs in each state.
    state_counts: Mapping[JobState, int]
    #: Jobs by the time of their last change.
    trends: Mapping[str, Mapping[JobState, int]]
    #: The jobs whose process runs longest.
    longest_running: tuple[JobInfo, ...]
    #: Number of jobs in each state for each worker.
    workers: Mapping[str, Mapping[JobState, int]]

    @property
    def worker_utilization(self) -> dict[str, int]:
        """Number of jobs that each worker has in its hands."""
        return {name: sum(counts.get(state, 0) for state in IN_FLIGHT) for name, counts in self.workers.items()}

    @property
    def active(self) -> int:
        """Number of jobs that the runner or a worker has in its hands."""
        return sum(self.state_counts.get(state, 0) for state in IN_FLIGHT)

    @property
    def running(self) -> int:
        """Number of jobs whose process runs."""
        return sum(self.state_counts.get(state, 0) for state in _RUNNING)

    @property
    def completed(self) -> int:
        """Number of jobs that ended well."""
        return self.state_counts.get(JobState.COMPLETED, 0)

    @property
    def error(self) -> int:
        """Number of jobs that failed, or that an action of the runner failed for."""
        return self.state_counts.get(JobState.FAILED, 0) + self.state_counts.get(JobState.REMOTE_ERROR, 0)


@dataclass(frozen=True, slots=True)
class FlowsReport:
    """How the flows of a project fare."""

    #: Number of flows in each state.
    state_counts: Mapping[FlowState, int]
    #: Flows by the time of their last change.
    trends: Mapping[str, Mapping[FlowState, int]]

    @property
    def running(self) -> int:
        """Number of flows that go on."""
        return self.state_counts.get(FlowState.RUNNING, 0)

    @property
    def completed(self) -> int:
        """Number of flows that ended well."""
        return self.state_counts.get(FlowState.COMPLETED, 0)

    @property
    def error(self) -> int:
        """Number of flows with a job that failed."""
        return self.state_counts.get(FlowState.FAILED, 0)


def jobs_report(
    opened: "OpenProject", interval: Interval = Interval.DAYS, number: int | None = None, zone: str | None = None
) -> JobsReport:
    """How the jobs of a project fare.

    Parameters
    ----------
    number
        How many intervals the trends have; 12 hours, 7 days, 4 weeks, 12 months or 3 years by default.
    zone
        Name of the time zone in which days begin (``Europe/Rome``); the one of this machine by default.

    Raises
    ------
    InvalidRequest
        There is no such zone, or the number is not possible.
    """
    rows = trends.longest_running(opened.database, _LONGEST)
    running = {job.id: job for job in list_jobs(opened, JobFilter(db_ids=tuple(rows) or (0,)))}
    return JobsReport(
        state_counts=_in_order(JobState, count_jobs_by_state(opened)),
        trends=count_trends(opened, _JOB_TRENDS, interval, number, zone),
        longest_running=tuple(running[row] for row in rows if row in running),
        workers={
            name: _in_order(JobState, counts) for name, counts in trends.count_states_by_worker(opened.database).items()
        },
    )


def flows_report(
    opened: "OpenProject", interval: Interval = Interval.DAYS, number: int | None = None, zone: str | None = None
) -> FlowsReport:
    """How the flows of a project fare; see :func:`jobs_report`."""
    counts = {state: count for state, count in count_flow_states(opened.database).items() if count}
    return FlowsReport(_in_order(FlowState, counts), count_trends(opened, _FLOW_TRENDS, interval, number, zone))


def count_trends(
    opened: "OpenProject",
    states: Sequence[State],
    interval: Interval = Interval.DAYS,
    number: int | None = None,
    zone: str | None = None,
) -> dict[str, dict[State, int]]:
    """How many jobs, or flows, came to each of `states` in each interval and are there since.

    Parameters
    ----------
    number, zone
        As in :func:`jobs_report`.

    Returns
    -------
    ``{interval: {state: number}}``, the oldest interval first.
    """
    names, bounds = _intervals(opened, interval, number, zone)
    counts = trends.count_by_time(opened.database, states, bounds)
    return {
        name: {state: found.get(state.value, 0) for state in states} for name, found in zip(names, counts, strict=True)
    }


def _intervals(
    opened: "OpenProject", interval: Interval, number: int | None, zone: str | None
) -> tuple[list[str], list[float]]:
    """Names and begins of the last intervals, the present one last."""
    usual, pattern = _INTERVALS[interval]
    number = usual if number is None else number
    if not 1 <= number <= _MOST_INTERVALS:
        raise InvalidRequest(f"a report has between 1 and {_MOST_INTERVALS} {interval.value}, not {number}")
    begins = [_begin(opened.database.clock(), interval, zone)]
    while len(begins) < number:
        # A second before an interval is in the one before it, whatever the lengths of months and of days in summer.
        begins.append(_begin(begins[-1].timestamp() - 1, interval, zone))
    begins.reverse()
    return [begin.strftime(pattern) for begin in begins], [begin.timestamp() for begin in begins]


def _begin(seconds: float, interval: Interval, zone: str | None) -> datetime:
    """Begin of the interval that contains a time."""
    hour = datetime.fromtimestamp(seconds, _zone(zone)).replace(minute=0, second=0, microsecond=0)
    if interval is Interval.HOURS:
        return hour
    day = hour.replace(hour=0)
    if interval is Interval.WEEKS:
        return day - timedelta(days=day.weekday())
    if interval is Interval.MONTHS:
        return day.replace(day=1)
    return day.replace(month=1, day=1) if interval is Interval.YEARS else day


def _zone(name: str | None) -> tzinfo | None:
    """The zone of that name; None is the one of this machine, for which naive times stand."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidRequest(f"there is no time zone {name!r}; write one like Europe/Rome, or UTC") from error


def _in_order(kind: type[State], counts: Mapping[State, int]) -> dict[State, int]:
    return {state: counts[state] for state in kind if counts.get(state)}
