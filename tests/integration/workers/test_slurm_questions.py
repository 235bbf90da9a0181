"""How often a real Slurm is asked does not depend on how many jobs it has: counted by programs in front of its own."""

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from towline import command
from towline.testing.debian import JOB_USER
from towline.testing.remote_project import RemoteProject
from towline.testing.slurm_cluster import ACCOUNT, SlurmCluster
from towline.testing.sshd import SshSite

pytestmark = [pytest.mark.slurm, pytest.mark.ssh]

_COUNTED = ("squeue", "sacct", "scontrol")
#: What the jobs take. Longer than all the submissions, so that both numbers of jobs are asked about for as long.
_SECONDS = 8


@pytest.fixture
def asked(sshd: SshSite) -> Path:
    """A file that gets a line for every question to Slurm on the host `counting`; empty at first."""
    folder = sshd.folder / "counting"
    if not folder.exists():
        folder.mkdir()
        (folder / "asked").touch()
        shutil.chown(folder / "asked", JOB_USER)
        for name in _COUNTED:
            program = folder / name
            program.write_text(f'#!/bin/sh\necho {name} >>{folder}/asked\nexec {shutil.which(name)} "$@"\n')
            program.chmod(0o755)
    (folder / "asked").write_text("")
    return folder / "asked"


@pytest.fixture
def project(
    sshd: SshSite, asked: Path, slurm_cluster: SlurmCluster, job_python: str, tmp_path: Path, monkeypatch: Any
) -> RemoteProject:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    if "counting" not in sshd.servers:
        variables = {"SLURM_CONF": slurm_cluster.environment["SLURM_CONF"], "PATH": f"{asked.parent}:/usr/bin:/bin"}
        sshd.add("counting", "SetEnv " + " ".join(f"{name}={value}" for name, value in variables.items()))
    worker = {
        **{"type": "remote", "scheduler_type": "slurm", "host": "counting", "ssh_config": str(sshd.config)},
        **{"work_dir": str(slurm_cluster.work_dir(tmp_path.name)), "python": job_python},
        # The files of a login shell would put the path of the system first.
        **{"login_shell": False, "resources": {"account": ACCOUNT, "mem": "10M"}},
    }
    return RemoteProject(tmp_path / "home", {"cluster": worker})


def questions_per_minute(project: RemoteProject, asked: Path, jobs: int) -> tuple[float, Counter[str]]:
    """How often Slurm was asked from the submission of so many jobs to the end of the last one."""
    asked.write_text("")
    db_ids = project.submit(*[command(["sleep", str(_SECONDS)]) for _ in range(jobs)])
    began = time.monotonic()
    project.run(240)
    minutes = (time.monotonic() - began) / 60
    states = project.states()
    assert {states[db_id] for db_id in db_ids} == {"COMPLETED"}
    counted = Counter(asked.read_text().split())
    return counted.total() / minutes, counted


def test_questions_to_slurm_do_not_grow_with_the_jobs(project: RemoteProject, asked: Path) -> None:
    few, of_few = questions_per_minute(project, asked, 5)
    many, of_many = questions_per_minute(project, asked, 60)
    told = f"5 jobs: {few:.0f} a minute {dict(of_few)}; 60 jobs: {many:.0f} a minute {dict(of_many)}"
    print(told)
    assert of_few["squeue"] >= 2, told
    assert of_many["squeue"] >= 2, told
    assert many <= 1.3 * few + 2, told
    # And of each program there are fewer questions than jobs.
    assert max(of_many.values()) < 30, told
