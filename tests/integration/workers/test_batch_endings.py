"""Ending allocations from the command line: at once and gently, with and without a runner; jobs are handed back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from towline import command
from towline.operations.controller import JobController
from towline.testing.batch import end_allocations
from towline.testing.remote_project import RemoteProject
from towline.testing.waiting import wait_until
from towline.testing.worker_driver import lines_of


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteProject]:
    """A batch worker whose allocations are processes of this machine."""
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    worker = {
        "scheduler_type": "shell",
        "work_dir": str(tmp_path / "work"),
        "max_jobs": 1,
        "time_limit_grace_seconds": 1,
        "batch": {"max_wait": 30, "parallel_jobs": 2, "work_dir": str(tmp_path / "allocations")},
    }
    yield RemoteProject(tmp_path / "home", {"many": worker})
    if (tmp_path / "allocations").is_dir():
        end_allocations(tmp_path / "allocations")


def batches(project: RemoteProject) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.tow("batch", "list", "--json"))
    return found


def running(project: RemoteProject) -> list[str]:
    return [one for one, state in project.states().items() if state == "BATCH_RUNNING"]


def held_until(path: Path, trace: Path, number: int) -> Any:
    """A job that waits for a file, and then writes a line."""
    return command(f"while ! [ -e {path} ]; do sleep 0.1; done; echo {number} >>{trace}")


def test_a_cancelled_allocation_hands_its_jobs_back(project: RemoteProject, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    ids = project.submit(*[held_until(go, trace, number) for number in range(6)])
    with project.runner():
        wait_until(lambda: len(running(project)) == 2, 60, "the start of two jobs")
        (first,) = batches(project)
        interrupted = running(project)
        uid = first["batch_uid"]
        assert "nothing was changed" in project.tow("batch", "cancel", uid, expected=(1,))
        said = project.tow("batch", "cancel", uid[:8], "--yes")
        assert "has ended; 2 jobs that ran in it go back to READY and run again" in said
        go.touch()
        wait_until(lambda: set(project.states().values()) == {"COMPLETED"}, 60, "the end of all jobs")
    assert sorted(map(int, lines_of(trace))) == list(range(6))
    for one in interrupted:
        (attempt,) = project.info(one).earlier_attempts
        assert attempt.outcome["reason"] == "interrupted"
        assert "was cancelled" in json.dumps(attempt.outcome)
    assert [project.info(one).earlier_attempts for one in ids if one not in interrupted] == [()] * 4
    again = project.tow("batch", "cancel", uid, "--yes", expected=(1,))
    assert "is over already: it was cancelled" in again
    (record,) = [item for item in batches(project) if item["batch_uid"] == uid]
    assert (record["batch_state"], record["reason"], record["jobs_ended"]) == ("FINISHED", "cancelled", 0)


def test_a_drained_allocation_ends_with_the_jobs_that_run(project: RemoteProject, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    ids = project.submit(*[held_until(go, trace, number) for number in range(4)])
    with project.runner():
        wait_until(lambda: len(running(project)) == 2, 60, "the start of two jobs")
        (first,) = batches(project)
        in_first = running(project)
        said = project.tow("batch", "drain", first["batch_uid"], "--yes")
        assert "takes no further jobs, and ends with the 2 jobs that run" in said
        life = Path(first["run_dir"], "towline_node0.json")
        wait_until(lambda: json.loads(life.read_text())["state"] == "draining", 20, "the pilot to have read it")
        go.touch()
        wait_until(lambda: set(project.states().values()) == {"COMPLETED"}, 60, "the end of all jobs")
        wait_until(lambda: batches(project)[-1]["batch_state"] == "FINISHED", 30, "the end of the allocation")
    assert sorted(map(int, lines_of(trace))) == list(range(4))
    assert all(not project.info(one).earlier_attempts for one in ids)
    newest, drained = batches(project)
    assert {job["db_id"] for job in drained["jobs"]} == set(in_first)
    assert (drained["reason"], drained["jobs_ended"]) == ("drained", 2)
    assert {job["db_id"] for job in newest["jobs"]} == set(ids) - set(in_first)


def test_without_a_runner_an_allocation_is_cancelled_too(project: RemoteProject, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    project.submit(held_until(go, trace, 1))
    with project.runner():
        wait_until(lambda: len(running(project)) == 1, 60, "the start")
    (batch,) = batches(project)
    with JobController.from_project_name() as controller:
        ended = controller.cancel_batches(batch["batch_uid"])
    assert list(ended.done) == [batch["batch_uid"]]
    (after,) = batches(project)
    assert (after["batch_state"], after["reason"]) == ("FINISHED", "cancelled")
    go.touch()
    with project.runner():
        wait_until(lambda: set(project.states().values()) == {"COMPLETED"}, 60, "the second attempt")
    assert lines_of(trace) == ["1"]


def test_an_id_that_nobody_has_is_told(project: RemoteProject) -> None:
    assert "no allocation has the id 'nothing'" in project.tow("batch", "drain", "nothing", expected=(1,))
