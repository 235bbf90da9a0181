"""Ends are counted by time as they happen; reports read the counters, and say what counting the rows would say."""

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from towline.core.states import FlowState, JobState
from towline.operations import jobs, reports
from towline.operations.compose import OpenProject
from towline.store import trends
from towline.store.database import Database
from towline.testing.queue import add_flow, inconsistencies, put_in_state

DAY = 86400.0
NOW = datetime(2026, 11, 21, 14, 37, 5, tzinfo=UTC).timestamp()
STATES = (JobState.COMPLETED, JobState.FAILED, JobState.REMOTE_ERROR)


@pytest.fixture
def database(queue_place):
    database = Database(queue_place, clock=lambda: NOW)
    yield database
    database.close()


@pytest.fixture
def ends(database) -> list[tuple[str, float]]:
    """State and time of jobs that ended over the last years."""
    moments = random.Random(5)
    ids = add_flow(database, {f"job {number}": [] for number in range(120)})
    found = []
    for number, job_id in enumerate(ids.values()):
        at = NOW - moments.choice((3600.0, DAY, 40 * DAY, 800 * DAY)) * moments.random()
        state = STATES[number % 3]
        put_in_state(database, job_id, state, updated_at=at)
        found.append((state.value, at))
    return found


@pytest.mark.parametrize("zone", ["UTC", "Europe/Rome", "Asia/Kathmandu", "America/St_Johns"])
@pytest.mark.parametrize("interval", reports.Interval)
def test_a_report_says_what_counting_the_rows_says(database, ends, interval, zone) -> None:
    opened = OpenProject(None, database)  # type: ignore[arg-type]  # a report asks the database only
    told = reports.count_trends(opened, STATES, interval, zone=zone)
    pattern = {"hours": "%Y-%m-%d %H", "days": "%Y-%m-%d", "weeks": "%G-W%V", "months": "%Y-%m", "years": "%Y"}
    counted = {name: dict.fromkeys(STATES, 0) for name in told}
    for state, at in ends:
        name = datetime.fromtimestamp(at, ZoneInfo(zone)).strftime(pattern[interval.value])
        if name in counted:
            counted[name][JobState(state)] += 1
    assert told == counted
    assert sum(sum(states.values()) for states in told.values()) > 0


def test_spans_that_begin_within_a_quarter_of_an_hour_are_counted_from_the_rows(database, ends) -> None:
    bounds = [NOW - 10 * DAY, NOW - 1234.5, NOW - 61.0]
    names = [state.value for state in STATES]
    expected = [
        {name: number for name in names if (number := sum(first <= at < last and state == name for state, at in ends))}
        for first, last in zip(bounds, [*bounds[1:], NOW + 1], strict=True)
    ]
    assert trends.count_by_time(database, STATES, bounds) == expected


def test_what_leaves_its_state_is_not_counted_any_more(database, ends) -> None:
    opened = OpenProject(None, database)  # type: ignore[arg-type]  # see above
    rows = [row for (row,) in database.read("SELECT id FROM job WHERE state = 'FAILED'")]
    with database.transaction() as transaction:
        jobs.rerun(transaction, rows)
    told = reports.count_trends(opened, STATES, reports.Interval.YEARS, 10)
    assert sum(states[JobState.FAILED] for states in told.values()) == 0
    assert sum(states[JobState.COMPLETED] for states in told.values()) == 40
    assert inconsistencies(database) == []


def test_flows_are_counted_by_state_and_by_the_time_of_their_last_change(database) -> None:
    for number in range(5):
        ids = add_flow(database, {"only": []}, name=f"flow {number}")
        put_in_state(database, ids["only"], JobState.COMPLETED if number else JobState.FAILED)
    assert inconsistencies(database) == []
    assert trends.count_by_time(database, list(FlowState), [0.0]) == [{"COMPLETED": 4, "FAILED": 1}]
    ended = (FlowState.COMPLETED, FlowState.FAILED)
    assert trends.count_by_time(database, ended, [NOW - NOW % 900]) == [{"COMPLETED": 4, "FAILED": 1}]
