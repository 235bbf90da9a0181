"""`--query`: the criteria of the job store, about the queue."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.core.states import JobState
from towline.operations.compose import OpenProject, open_project
from towline.testing.command_line import tow
from towline.testing.queue import add_flow, put_in_state, put_outcome, states


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenProject]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    with open_project() as opened:
        yield opened


@pytest.fixture
def jobs(project: OpenProject) -> dict[str, int]:
    first = add_flow(project.database, {"relax": [], "static": ["relax"]}, name="silicon", metadata={"n": {"k": 4}})
    second = add_flow(project.database, {"bands": []}, name="carbon", priority=7)
    put_in_state(project.database, first["relax"], JobState.FAILED, started_at=1_700_000_000.0)
    put_outcome(
        project.database,
        first["relax"],
        failure={"reason": "error", "message": "ValueError: bad", "details": None},
        stored_data={"energies": [1.5, -2]},
    )
    return {**first, **second}


def found(criteria: str) -> list[str]:
    answer = tow("job", "list", "-q", criteria, "--sort", "db_id", "--reverse-sort", "--json")
    assert answer.code == 0, answer.err
    assert tow("job", "list", "--query", criteria, "--count").out == f"{len(answer.json)}\n"
    return [job["name"] for job in answer.json]


@pytest.mark.parametrize(
    ("criteria", "names"),
    [
        ("name=relax", ["relax"]),
        ('{"job.name": {"$regex": "^s"}}', ["static"]),
        ('{"state": {"$in": ["FAILED", "READY"]}}', ["relax", "bands"]),
        ('{"state": {"$ne": "WAITING"}, "priority": {"$gt": 2}}', ["bands"]),
        ('{"$or": [{"priority": 7}, {"state": "FAILED"}]}', ["relax", "bands"]),
        ('{"metadata.n.k": 4}', ["relax", "static"]),
        ('{"job.metadata.n": {"k": 4}, "index": 1}', ["relax", "static"]),
        ('{"stored_data.energies": {"$lt": 0}}', ["relax"]),
        ('{"error": {"$regex": "valueerror", "$options": "i"}}', ["relax"]),
        ('{"parents": {"$size": 1}}', ["static"]),
        ('{"previous_state": null}', ["static", "bands"]),
        ('{"start_time": {"$lt": "2024-01-01"}}', ["relax"]),
        ('{"start_time": {"$gt": {"$date": "2023-11-14T22:13:19+00:00"}}}', ["relax"]),
        ('{"start_time": {"$not": {"$gt": "2024-01-01"}}, "priority": 0}', ["relax", "static"]),
        ('{"db_id": {"$gte": "2"}}', ["static", "bands"]),
        ('{"db_id": {"$in": ["1", "3"]}}', ["relax", "bands"]),
        ('{"lock_id": {"$ne": null}}', []),
        ("{}", ["relax", "static", "bands"]),
    ],
)
def test_jobs_are_found_by_criteria(jobs: dict[str, int], criteria: str, names: list[str]) -> None:
    assert found(criteria) == names


def test_criteria_restrict_what_other_options_choose(jobs: dict[str, int]) -> None:
    answer = tow("job", "list", "-s", "WAITING", "-q", '{"metadata.n.k": 4}', "-o", "name")
    assert [line.strip() for line in answer.out.splitlines()[2:]] == ["static"]


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ('{"nam": "relax"}', "the queue cannot look for jobs by 'nam'. Did you mean name?"),
        ('{"job.function": "x"}', "cannot look for jobs by 'job.function'"),
        ('{"state": "FAIL"}', "the states are WAITING, READY"),
        ('{"start_time": 5}', "write a time as"),
        ('{"start_time": {"$regex": "2024"}}', "$regex cannot be used with start_time"),
        ('{"name": {"$near": 1}}', "$near"),
        ('{"$where": "true"}', "$where"),
        ("relax", "give key=value pairs"),
    ],
)
def test_criteria_that_cannot_be_answered_are_refused(jobs: dict[str, int], criteria: str, message: str) -> None:
    answer = tow("job", "list", "-q", criteria)
    assert answer.code == 1
    assert message in answer.err


def test_actions_take_criteria(project: OpenProject, jobs: dict[str, int]) -> None:
    assert tow("job", "pause", "-q", '{"priority": {"$gt": 5}}').out == "1 job paused\n"
    assert states(project.database, jobs)["bands"] == "PAUSED"
    assert tow("job", "pause", "-q", '{"priority": 99}').code == 1
    assert states(project.database, jobs)["static"] == "WAITING"


def test_empty_criteria_mean_every_job_and_ask(project: OpenProject, jobs: dict[str, int]) -> None:
    answer = tow("job", "pause", "-q", "{}")
    assert answer.code == 1
    assert "all 3 jobs" in answer.err


@pytest.mark.parametrize(
    ("criteria", "names"),
    [
        ("name=silicon", ["silicon"]),
        ('{"state": {"$nin": ["FAILED"]}}', ["carbon"]),
        ('{"name": {"$regex": "on$"}}', ["silicon", "carbon"]),
        ('{"metadata": {}}', ["silicon", "carbon"]),
        ('{"jobstore": null, "created_on": {"$gt": "2020-01-01"}}', ["silicon", "carbon"]),
    ],
)
def test_flows_are_found_by_criteria(jobs: dict[str, int], criteria: str, names: list[str]) -> None:
    answer = tow("flow", "list", "-q", criteria, "--sort", "db_id", "--reverse-sort", "--json")
    assert [flow["name"] for flow in answer.json] == names
    assert tow("flow", "list", "-q", criteria, "--count").out == f"{len(names)}\n"


def test_a_field_that_flows_do_not_have_is_refused(jobs: dict[str, int]) -> None:
    answer = tow("flow", "list", "-q", "worker=local")
    assert answer.code == 1
    assert "the queue cannot look for flows by 'worker'" in answer.err
