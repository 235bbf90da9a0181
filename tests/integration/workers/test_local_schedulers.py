"""Workers on this machine with a batch scheduler: its programs are started here, without SSH."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline import command
from towline.testing.jobs import add
from towline.testing.pbs_site import PbsSite
from towline.testing.remote_project import RemoteProject

pytestmark = pytest.mark.pbs


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteProject]:
    site = PbsSite(tmp_path / "site")
    for key, value in {**site.environment, "TOWLINE_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(key, value)
    worker = {"type": "local", "scheduler_type": "pbs", "work_dir": str(tmp_path / "work")}
    yield RemoteProject(tmp_path / "home", {"here": worker})
    site.stop()


def test_a_flow_runs_through_the_scheduler(project: RemoteProject) -> None:
    first = add(1, 2)
    ids = project.submit(first, command(["sh", "-c", "echo $PBS_JOBID"]))
    project.run()
    outputs = project.outputs()
    assert outputs[ids[0]] == 3
    assert outputs[ids[1]]["stdout_tail"].strip() == project.info(ids[1]).job.remote.process_id


def test_the_check_names_what_is_wrong(project: RemoteProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = project.tow("worker", "check", "here")
    for subject in ("connection", "scheduler pbs", "work_dir", "disk", "clock", "Python"):
        assert f"worker here: {subject}: " in said
    assert "FAILED" not in said.upper().replace("0 FAILED", "")
    (tmp_path / "file").write_text("in the way")
    project.configure("here", work_dir=str(tmp_path / "file" / "work"), python="/no/such/python")
    monkeypatch.setenv("PATH", os.environ["PATH"].split(":", 1)[1])
    said = project.tow("worker", "check", "here", expected=[1])
    assert "failed  worker here: scheduler pbs" in said
    assert "failed  worker here: work_dir" in said
    assert "warning worker here: Python: /no/such/python does not run Python jobs" in said
    assert said.count("-> ") >= 3
