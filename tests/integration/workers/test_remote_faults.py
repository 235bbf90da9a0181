"""Connections that are cut anywhere, hosts that fall silent, keepers that are killed: every job runs once."""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from towline import command
from towline.testing.debian import JOB_USER
from towline.testing.flaky_proxy import FlakyProxy, flaky_proxy
from towline.testing.remote_project import RemoteProject
from towline.testing.sshd import SshSite
from towline.testing.waiting import wait_until
from towline.testing.worker_driver import lines_of

pytestmark = pytest.mark.ssh

_JOBS = 12


@pytest.fixture
def proxy(sshd: SshSite) -> Iterator[FlakyProxy]:
    server = sshd.servers.get("host") or sshd.add("host")
    with flaky_proxy(server.port, delay_seconds=0.01) as proxy:
        sshd.know(proxy.port)
        yield proxy


@pytest.fixture
def project(sshd: SshSite, proxy: FlakyProxy, job_python: str, tmp_path: Path, monkeypatch: Any) -> RemoteProject:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    work_dir = sshd.folder / tmp_path.name
    work_dir.mkdir()
    shutil.chown(work_dir, JOB_USER)
    worker = {
        "type": "remote",
        "host": "host",
        "port": proxy.port,
        "keepalive": 1,
        "ssh_config": str(sshd.config),
        "work_dir": str(work_dir),
        "python": job_python,
        "max_jobs": 6,
    }
    return RemoteProject(tmp_path / "home", {"far": worker})


@pytest.fixture
def trace(project: RemoteProject) -> Path:
    path = Path(project.document["workers"]["far"]["work_dir"], "trace")
    path.touch()
    shutil.chown(path, JOB_USER)
    return path


def submit_all(project: RemoteProject, trace: Path) -> None:
    project.submit(*[command(f"echo {number} >>{trace}") for number in range(_JOBS)])


def assert_each_ran_once(project: RemoteProject, trace: Path) -> None:
    assert list(project.states().values()) == ["COMPLETED"] * _JOBS
    assert sorted(map(int, lines_of(trace))) == list(range(_JOBS))


@pytest.mark.parametrize(("spacing_bytes", "most_cuts"), [(1500, 2), (6000, 3)])
def test_cuts_anywhere_lose_nothing_and_repeat_nothing(
    project: RemoteProject, proxy: FlakyProxy, trace: Path, spacing_bytes: int, most_cuts: int
) -> None:
    submit_all(project, trace)
    chance = random.Random(spacing_bytes)
    runner = project.start_runner()
    try:
        proxy.cut_after(spacing_bytes)
        deadline = time.monotonic() + 60
        cuts = 0
        while cuts < most_cuts and time.monotonic() < deadline and set(project.states().values()) != {"COMPLETED"}:
            if not proxy.cut_is_due:
                cuts += 1
                proxy.cut_after(chance.randrange(spacing_bytes // 2, 2 * spacing_bytes))
            time.sleep(0.05)
        wait_until(lambda: set(project.states().values()) == {"COMPLETED"}, 90, "the end of all jobs")
    finally:
        runner.terminate()
        runner.wait(20)
    assert_each_ran_once(project, trace)


def test_a_silent_network_is_noticed_and_jobs_go_on(project: RemoteProject, proxy: FlakyProxy, trace: Path) -> None:
    submit_all(project, trace)
    runner = project.start_runner()
    try:
        wait_until(lambda: "COMPLETED" in project.states().values() or trace.read_text(), 40, "the first job")
        proxy.blackhole()
        wait_until(lambda: "unreachable" in project.tow("worker", "list"), 60, "the outage")
        assert "FAILED" not in project.states().values()
        assert "REMOTE_ERROR" not in project.states().values()
        proxy.cut()
        proxy.blackhole(False)
        wait_until(lambda: set(project.states().values()) == {"COMPLETED"}, 90, "the end of all jobs")
    finally:
        runner.terminate()
        runner.wait(20)
    assert_each_ran_once(project, trace)


def test_a_keeper_that_is_killed_leaves_its_job_and_the_job_is_judged_by_its_result(project: RemoteProject) -> None:
    work_dir = Path(project.document["workers"]["far"]["work_dir"])
    (db_id,) = project.submit(command("echo $PPID $$; sleep 300"))
    (other,) = project.submit(command("true"))
    runner = project.start_runner()
    try:
        wait_until(lambda: project.states() == {db_id: "RUNNING", other: "COMPLETED"}, 60, "the start")
        keeper = int(str(project.info(db_id).job.remote.process_id).split(".")[0])
        os.kill(keeper, signal.SIGKILL)
        # Long enough for several looks.
        time.sleep(2.5)
        assert project.states()[db_id] == "RUNNING"
        project.tow("job", "stop", db_id)
        wait_until(lambda: not project.info(db_id).ending, 60, "the confirmation")
        assert not _alive(work_dir)
    finally:
        runner.terminate()
        runner.wait(20)


def _alive(work_dir: Path) -> list[int]:
    """Processes that were started in run folders."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"TOWLINE_RUN_DIR={work_dir}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
