"""Two workers of one host behind SSH share the limit of that host."""

import shutil
from pathlib import Path

import pytest
from jobflow import Flow

from towline import command
from towline.operations.compose import open_project
from towline.testing.debian import JOB_USER
from towline.testing.remote_project import RemoteProject
from towline.testing.sshd import SshSite
from towline.testing.waiting import wait_until

pytestmark = pytest.mark.ssh


def test_two_workers_of_a_host_never_have_more_jobs_than_it_may(
    sshd: SshSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    sshd.add("host")
    folder = sshd.folder / "shared"
    folder.mkdir()
    shutil.chown(folder, JOB_USER)
    there = {"type": "remote", "ssh_config": str(sshd.config), "work_dir": str(folder)}
    workers = {"debug": {**there, "host": f"{JOB_USER}@host"}, "regular": {**there, "host": "host"}}
    project = RemoteProject(tmp_path / "home", workers, max_jobs_per_host={"host": 2})
    for worker in workers:
        project.submit(Flow([command(["sleep", "0.2"]) for _ in range(4)]), worker=worker)
    with project.runner():
        wait_until(lambda: set(project.states().values()) == {"COMPLETED"}, 90)
    with open_project() as opened:
        moves = opened.database.read("SELECT to_state FROM event WHERE job_id IS NOT NULL ORDER BY id")
    there_now = most = 0
    for (state,) in moves:
        there_now += (state == "CHECKED_OUT") - (state == "COMPLETED")
        most = max(most, there_now)
    assert most == 2
