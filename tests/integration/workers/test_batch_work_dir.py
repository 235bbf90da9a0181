"""A work_dir that is not mounted says nothing about the jobs of a batch worker."""

import json
from pathlib import Path

import pytest

from towline import command
from towline.testing.batch import end_allocations
from towline.testing.remote_project import RemoteProject
from towline.testing.waiting import wait_until
from towline.testing.worker_driver import lines_of


def test_a_work_dir_that_is_gone_for_a_while_is_no_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    work, away, trace, go = (tmp_path / name for name in ("work", "away", "trace", "go"))
    batch = {"parallel_jobs": 2, "jobs_handle_dir": str(tmp_path / "spool"), "work_dir": str(tmp_path / "allocations")}
    worker = {"scheduler_type": "shell", "work_dir": str(work), "max_jobs": 1, "batch": batch}
    project = RemoteProject(tmp_path / "home", {"many": worker})
    try:
        line = f"while ! [ -e {go} ]; do sleep 0.1; done; echo {{}} >>{trace}"
        ids = project.submit(*[command(line.format(number)) for number in range(4)])
        with project.runner():
            wait_until(lambda: list(project.states().values()).count("BATCH_RUNNING") == 2, 60, "the start of two")
        project.tow("job", "stop", ids[0], "--yes")
        before = project.states()
        assert (work / ".towline_work_dir").exists()
        work.rename(away)
        work.mkdir()
        with project.runner():
            wait_until(lambda: "is its file system mounted?" in project.tow("worker", "list", "--json"), 30, "the word")
            assert project.states() == before
            assert list(work.iterdir()) == []
            work.rmdir()
            away.rename(work)
            wait_until(lambda: not project.info(ids[0]).ending, 30, "the end of the stopped one")
            go.touch()
            wait_until(lambda: set(project.states().values()) == {"COMPLETED", "USER_STOPPED"}, 60, "the ends")
        assert sorted(map(int, lines_of(trace))) == [1, 2, 3]
        assert all(not project.info(one).earlier_attempts for one in ids)
        assert len(json.loads(project.tow("batch", "list", "--json"))) == 1
    finally:
        end_allocations(tmp_path / "allocations")
