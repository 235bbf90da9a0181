"""`tow job report` and `tow flow report`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from towline.core.states import FlowState, JobState
from towline.operations.compose import OpenProject, open_project
from towline.operations.reports import Interval, count_trends
from towline.testing.command_line import tow
from towline.testing.queue import add_flow, put_in_state


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenProject]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    with open_project() as opened:
        yield opened


def ended(project: OpenProject, state: JobState, at: datetime) -> None:
    jobs = add_flow(project.database, {"a": []})
    put_in_state(project.database, jobs["a"], state, updated_at=at.timestamp())
    with project.database.transaction() as transaction:
        transaction.execute("UPDATE flow SET updated_at = ?", (at.timestamp(),))


def test_jobs_are_counted_by_state_and_by_the_day_of_their_last_change(project: OpenProject) -> None:
    noon = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    for days in (0, 0, 1, 6, 7):
        ended(project, JobState.COMPLETED, noon - timedelta(days=days))
    ended(project, JobState.REMOTE_ERROR, noon - timedelta(days=1))
    report = tow("job", "report", "--json").json
    assert report["state_counts"] == {"REMOTE_ERROR": 1, "COMPLETED": 5}
    assert [report[key] for key in ("completed", "running", "error", "active")] == [5, 0, 1, 0]
    completed = [counts["COMPLETED"] for counts in report["trends"].values()]
    assert completed == [1, 0, 0, 0, 0, 1, 2]
    assert [counts["REMOTE_ERROR"] for counts in report["trends"].values()] == [0, 0, 0, 0, 0, 1, 0]
    assert list(report["trends"])[-1] == noon.strftime("%Y-%m-%d")
    assert len(tow("job", "report", "hours", "5", "--json").json["trends"]) == 5
    assert [len(tow("job", "report", kind, "--json").json["trends"]) for kind in ("weeks", "months", "years")] == [
        4,
        12,
        3,
    ]


def test_the_longest_running_jobs_and_the_workers_are_named(project: OpenProject) -> None:
    for number in range(7):
        jobs = add_flow(project.database, {f"job {number}": []}, worker="local" if number % 2 else "other")
        put_in_state(project.database, jobs[f"job {number}"], JobState.RUNNING, started_at=1000.0 + number)
    report = tow("job", "report", "--json").json
    assert [job["name"] for job in report["longest_running"]] == [f"job {number}" for number in range(5)]
    assert report["worker_utilization"] == {"local": 3, "other": 4}
    drawn = tow("job", "report").out
    for text in ("0 completed, 7 running, 0 with an error", "Running longest", "job 4", "Workers", "other"):
        assert text in drawn
    assert "job 5" not in drawn


def test_flows_have_a_report_too(project: OpenProject) -> None:
    now = datetime.now().astimezone()
    ended(project, JobState.COMPLETED, now)
    ended(project, JobState.FAILED, now)
    report = tow("flow", "report", "years", "1", "--json").json
    assert report["trends"] == {str(now.year): {"COMPLETED": 1, "FAILED": 1}}
    assert report["state_counts"] == {"COMPLETED": 1, "FAILED": 1}
    assert "1 completed, 0 running, 1 with an error" in tow("flow", "report").out


def test_days_begin_where_the_user_says(project: OpenProject) -> None:
    # The 30th of March 2025 had 23 hours in Rome.
    project.database.clock = lambda: datetime(2025, 3, 31, 12, tzinfo=ZoneInfo("Europe/Rome")).timestamp()
    at = datetime(2025, 3, 29, 23, 30, tzinfo=ZoneInfo("Europe/Rome"))
    ended(project, JobState.COMPLETED, at)
    for zone, day in (("Europe/Rome", "2025-03-29"), ("Asia/Tokyo", "2025-03-30")):
        trends = count_trends(project, [JobState.COMPLETED], Interval.DAYS, 4, zone)
        assert [name for name, counts in trends.items() if counts[JobState.COMPLETED]] == [day]
        assert list(trends) == [f"2025-03-{number}" for number in (28, 29, 30, 31)]
    assert count_trends(project, [FlowState.FAILED], Interval.WEEKS, 2) == {
        "2025-W13": {FlowState.FAILED: 0},
        "2025-W14": {FlowState.FAILED: 0},
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["days", "0"], "between 1 and 400 days, not 0"),
        (["days", "--timezone", "Rome"], "there is no time zone 'Rome'"),
        (["minutes"], "minutes"),
    ],
)
def test_what_a_report_cannot_be_about_is_refused(project: OpenProject, arguments: list[str], message: str) -> None:
    answer = tow("job", "report", *arguments)
    assert answer.code
    assert message in answer.err
