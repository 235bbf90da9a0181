"""The folder of a remote worker: file systems that are not mounted, and permissions of what is brought there."""

import base64
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from towline.core.records import Assignment, pack_job
from towline.core.run_folder import EXIT_FILE
from towline.testing.worker_driver import WorkerDriver, assignment
from towline.workers.remote.folders import Site
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.remote.worker import RemoteWorker
from towline.workers.transports.local import LocalTransport

_FINAL = {"ended", "returned", "step_failed", "cancelled"}


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    return tmp_path / "mounted"


@pytest.fixture
def make(work_dir: Path) -> Iterator[Callable[[], WorkerDriver]]:
    made: list[RemoteWorker] = []

    def make() -> WorkerDriver:
        site = Site("here", str(work_dir), ShellQueue(0.3), sys.executable)
        made.append(RemoteWorker(site, LocalTransport("here"), 4, gone_seconds=0.5))
        return WorkerDriver(made[-1])

    yield make
    for worker in made:
        worker.close()


def command_attempt(work_dir: Path, script: str, **payload: Any) -> Assignment:
    header = {"key": "1.1", "uuid": "u", "index": 1, "name": "job", "metadata": {}, "hosts": []}
    content = pack_job(header, orjson.dumps({"shell": script, **payload}), [])
    return assignment(work_dir, 1, content=content, kind="command")


def test_a_file_system_that_is_not_mounted_is_no_evidence(
    make: Callable[[], WorkerDriver], work_dir: Path, tmp_path: Path
) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    job = command_attempt(work_dir, f"echo ran >>{trace}; until [ -e {go} ]; do sleep 0.05; done")
    first = make()
    first.hand_over(job)
    first.wait_for("1.1", "started")
    first.worker.close()
    away = tmp_path / "away"
    work_dir.rename(away)
    work_dir.mkdir()
    second = make()
    second.worker.adopt([replace(job, package=b"", placed=True)])
    second.wait(lambda: "is its file system mounted?" in str(second.worker.status()["problem"]), "the problem")
    asked = second.worker.status()["round_trips"]
    second.wait(lambda: second.worker.status()["round_trips"] >= asked + 2, "further looks")
    second.cancel(replace(job, package=b"", placed=True))
    asked = second.worker.status()["round_trips"]
    second.wait(lambda: second.worker.status()["round_trips"] >= asked + 2, "looks after the cancellation")
    assert not _FINAL & set(second.events("1.1"))
    assert not list(work_dir.iterdir())
    work_dir.rmdir()
    away.rename(work_dir)
    second.wait_for("1.1", "cancelled")
    assert trace.read_text() == "ran\n"
    assert (Path(job.run_dir) / EXIT_FILE).exists()


def test_a_file_system_that_goes_away_while_jobs_run_is_no_evidence(
    make: Callable[[], WorkerDriver], work_dir: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    job = command_attempt(work_dir, f"until [ -e {go} ]; do sleep 0.05; done")
    driver = make()
    driver.hand_over(job)
    driver.wait_for("1.1", "started")
    away = tmp_path / "away"
    work_dir.rename(away)
    go.touch()
    driver.wait(lambda: "is its file system mounted?" in str(driver.worker.status()["problem"]), "the problem")
    assert not _FINAL & set(driver.events("1.1"))
    away.rename(work_dir)
    assert driver.wait_for("1.1", "ended").exit.exit_code == 0


def test_who_emptied_the_folder_says_so(make: Callable[[], WorkerDriver], work_dir: Path) -> None:
    job = command_attempt(work_dir, "true")
    first = make()
    first.hand_over(job)
    first.wait_for("1.1", "ended")
    first.worker.close()
    shutil.rmtree(work_dir)
    second = make()
    second.worker.adopt([replace(job, package=b"", placed=True)])
    second.wait(lambda: second.worker.status()["problem"], "the problem")
    remedy = str(second.worker.status()["problem"]).partition("type there: ")[2]
    assert LocalTransport("here").run(remedy).exit_code == 0
    second.wait_for("1.1", "returned")


def test_inputs_keep_the_mode_that_their_user_gave(make: Callable[[], WorkerDriver], work_dir: Path) -> None:
    data = base64.b64encode(b"a secret").decode()
    inputs = {"key": {"base64": data, "mode": 0o600}, "run": {"base64": data, "mode": 0o750}, "text": "text"}
    job = command_attempt(work_dir, "true", inputs=inputs)
    driver = make()
    driver.hand_over(job)
    driver.wait_for("1.1", "ended")
    modes = {name: stat.S_IMODE((Path(job.run_dir) / name).stat().st_mode) for name in inputs}
    assert modes == {"key": 0o600, "run": 0o750, "text": 0o644}


def test_a_folder_of_a_job_that_goes_away_holds_up_nobody_else(
    make: Callable[[], WorkerDriver], work_dir: Path, tmp_path: Path
) -> None:
    go, own, away = tmp_path / "go", tmp_path / "of the job", tmp_path / "away"
    job = command_attempt(own, f"until [ -e {go} ]; do sleep 0.05; done")
    other = replace(command_attempt(work_dir, "true"), job_id=2)
    driver = make()
    driver.hand_over(job)
    driver.wait_for("1.1", "started")
    own.rename(away)
    go.touch()
    driver.wait(lambda: "is its file system mounted?" in str(driver.worker.status()["problem"]), "the problem")
    driver.hand_over(other)
    driver.wait_for("2.1", "ended")
    assert not _FINAL & set(driver.events("1.1"))
    away.rename(own)
    assert driver.wait_for("1.1", "ended").exit.exit_code == 0
    driver.hand_over(replace(other, job_id=3, run_dir=f"{work_dir}/00/another"))
    driver.wait(lambda: driver.worker.status()["problem"] is None, "the end of the problem")
