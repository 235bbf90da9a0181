"""Uploads that fail: one job whose files cannot be written does not hold up the others."""

import sys
from pathlib import Path

import orjson
import pytest

from towline.core.records import pack_job
from towline.testing.worker_driver import WorkerDriver, assignment
from towline.workers.remote.folders import Site
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.remote.worker import RemoteWorker
from towline.workers.transports.local import LocalTransport


def command(number: int, **payload: object) -> bytes:
    header = {"db_id": str(number), "uuid": "u", "index": 1, "attempt": 1, "name": "n", "payload_kind": "command"}
    return pack_job(header, orjson.dumps({"argv": ["true"], **payload}), [])


@pytest.fixture
def driver(tmp_path: Path):  # type: ignore[no-untyped-def]
    site = Site("here", str(tmp_path / "work"), ShellQueue(), sys.executable)
    worker = RemoteWorker(site, LocalTransport("here"), 10)
    yield WorkerDriver(worker)
    worker.close()


def test_one_job_whose_files_cannot_be_written_is_found(driver: WorkerDriver, tmp_path: Path) -> None:
    bad = {"inputs": {"x" * 300: "too long a name"}}
    jobs = [
        assignment(tmp_path / "work", number, content=command(number, **(bad if number == 3 else {})), kind="command")
        for number in range(1, 7)
    ]
    driver.hand_over(*jobs)
    failed = driver.wait_for("3.1", "step_failed")
    assert failed.failure is not None
    assert "files cannot be written" in failed.failure.message
    for job in jobs:
        if job.key != "3.1":
            assert driver.wait_for(job.key, "ended").exit is not None
    assert [one.key for one in driver.told if one.event == "step_failed"] == ["3.1"]


def test_a_folder_that_cannot_be_made_fails_the_step_of_all(driver: WorkerDriver, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way")
    jobs = [assignment(tmp_path / "work", number, content=command(number), kind="command") for number in (1, 2, 3)]
    driver.hand_over(*jobs)
    for job in jobs:
        failed = driver.wait_for(job.key, "step_failed")
        assert failed.may_retry
    trips = driver.worker.status()["round_trips"]
    assert trips <= 4
