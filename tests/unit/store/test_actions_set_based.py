"""What users do to ten thousand jobs takes a few statements, however many flows they are in."""

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from towline.core.records import NewFlow, NewJob
from towline.core.states import JobState
from towline.operations import flows, jobs
from towline.operations.compose import OpenProject, open_project
from towline.store.jobs import Defaults, insert_flow

#: Jobs, each in a flow of its own: the worst case.
JOBS = 10_000

#: A round of statements for each part of the jobs, and what begins and ends a transaction.
FEW = 40

_VALUE = re.compile(r"'(?:[^']|'')*'|-?\b\d[\d.e+]*\b|\bNULL\b|x'[^']*'")

ACTIONS: dict[str, tuple[JobState, Callable[[OpenProject, list[int]], object]]] = {
    "pause": (JobState.READY, jobs.pause_jobs),
    "resume": (JobState.PAUSED, jobs.resume_jobs),
    "stop": (JobState.RUNNING, jobs.stop_jobs),
    "retry": (JobState.REMOTE_ERROR, jobs.retry_jobs),
    "rerun": (JobState.FAILED, jobs.rerun_jobs),
    "set-state": (JobState.READY, lambda opened, rows: jobs.set_job_states(opened, rows, JobState.FAILED)),
    "set priority": (JobState.READY, lambda opened, rows: jobs.set_priority(opened, rows, 0)),
    "set worker": (
        JobState.READY,
        lambda opened, rows: jobs.set_run_properties(opened, rows, jobs.RunProperties(worker="local")),
    ),
    "set resources": (
        JobState.READY,
        lambda opened, rows: jobs.set_run_properties(opened, rows, jobs.RunProperties(resources={"time_limit": 60})),
    ),
    "delete flows": (
        JobState.COMPLETED,
        lambda opened, rows: flows.delete_flows(opened, flows.flow_rows(opened, flows.FlowFilter())),
    ),
}


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The database of a project with many flows, to be copied."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOWLINE_HOME", str(home))
        with open_project() as opened, opened.database.transaction() as transaction:
            for _ in range(JOBS):
                job = NewJob(uuid=str(uuid.uuid4()), name="a", payload_kind="command", payload=b'{"shell": "true"}')
                insert_flow(
                    transaction, NewFlow(uuid=str(uuid.uuid4()), name="f", jobs=(job,)), Defaults(worker="local")
                )
        yield home / "default" / "queue.db"


@pytest.fixture
def project(queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenProject]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "queue.db").write_bytes(queue.read_bytes())
    with open_project() as opened:
        yield opened


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_on_many_jobs_is_a_few_statements(project: OpenProject, name: str) -> None:
    state, action = ACTIONS[name]
    rows = jobs.rows_of(project, jobs.JobFilter())
    assert len(rows) == JOBS
    if state is not JobState.READY:
        jobs.set_job_states(project, rows, state)
    statements: list[str] = []

    def count(sql: str) -> None:
        # One statement for many rows is one statement.
        shape = _VALUE.sub("?", sql)
        if not statements or statements[-1] != shape:
            statements.append(shape)

    project.database.connection.set_trace_callback(count)
    changed = action(project, rows)
    project.database.connection.set_trace_callback(None)
    if isinstance(changed, jobs.Changed):
        assert len(changed.changed) == JOBS
    else:
        assert jobs.count_jobs(project, jobs.JobFilter()) == 0
    assert len(statements) <= FEW, statements


def test_the_progress_of_an_action_is_told(project: OpenProject) -> None:
    told: list[tuple[int, int]] = []
    jobs.pause_jobs(project, jobs.rows_of(project, jobs.JobFilter()), progress=lambda *numbers: told.append(numbers))
    assert told == [(done, JOBS) for done in (0, 2_500, 5_000, 7_500, 10_000)]
