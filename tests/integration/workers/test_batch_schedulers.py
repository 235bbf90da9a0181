"""Batch workers on Grid Engine, and on a program that plays PBS: jobs run, are stopped, and share an allocation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from towline.core.records import ShellSetup
from towline.testing.batch import end_allocations
from towline.testing.grid_engine import GridEngine as GridEngineCluster
from towline.testing.login_transport import LoginTransport
from towline.testing.payloads import EXTRA_PAYLOADS
from towline.testing.pbs_site import PbsSite
from towline.testing.worker_driver import WorkerDriver, assignment, lines_of
from towline.workers.batch.plan import BatchPlan
from towline.workers.batch.worker import BatchWorker
from towline.workers.remote.folders import Site
from towline.workers.remote.queues import Queue
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.schedulers.pbs import Pbs
from towline.workers.schedulers.sge import GridEngine
from towline.workers.transports.local import LocalTransport
from towline.workers.transports.transport import Transport

_KNOWS_THE_TEST_PAYLOAD = ShellSetup(export={"TOWLINE_EXTRA_PAYLOADS": EXTRA_PAYLOADS})


def batch_driver(folder: Path, queue: Queue, transport: Transport, python: str, **options: Any) -> WorkerDriver:
    folders = (str(folder / "spool"), str(folder / "allocations"))
    batch = BatchPlan(queue, *folders, 1, parallel_jobs=2, max_wait=20, grace_seconds=0.5, **options)
    return WorkerDriver(BatchWorker(Site("cluster", str(folder), ShellQueue(), python), batch, transport))


def try_it(driver: WorkerDriver, folder: Path) -> None:
    evidence = folder / "evidence"
    jobs = [
        assignment(folder, number, ["append", str(evidence), str(number)], shell=_KNOWS_THE_TEST_PAYLOAD)
        for number in range(1, 21)
    ]
    endless = assignment(folder, 99, ["sleep", 300], shell=_KNOWS_THE_TEST_PAYLOAD, priority=1)
    try:
        driver.hand_over(endless, *jobs)
        ends = [driver.wait_for(job.key, "ended") for job in jobs]
        assert {end.exit and end.exit.exit_code for end in ends} == {0}
        assert sorted(map(int, lines_of(evidence))) == list(range(1, 21))
        driver.cancel(endless)
        driver.wait_for(endless.key, "cancelled")
        end = driver.wait_for(endless.key, "ended")
        assert end.exit is not None
        assert end.exit.reason == "cancelled"
        assert len([path for path in (folder / "allocations").iterdir() if path.name[0] != "."]) == 1
    finally:
        driver.worker.close()


@pytest.mark.grid_engine
def test_grid_engine(grid_engine: GridEngineCluster, tmp_path: Path, job_python: str) -> None:
    folder = grid_engine.work_dir(tmp_path.name)
    transport = LoginTransport("cluster", grid_engine.environment, grid_engine.inside())
    driver = batch_driver(folder, GridEngine(), transport, job_python, max_time=60)
    try_it(driver, folder)


@pytest.fixture
def pbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PbsSite]:
    site = PbsSite(tmp_path / "site")
    for key, value in site.environment.items():
        monkeypatch.setenv(key, value)
    yield site
    site.stop()
    end_allocations(tmp_path / "allocations")


@pytest.mark.pbs
def test_pbs(pbs: PbsSite, tmp_path: Path, job_python: str) -> None:
    driver = batch_driver(
        tmp_path,
        Pbs(),
        LocalTransport("cluster"),
        job_python,
        resources={"select": "1:ncpus=2", "walltime": "00:10:00"},
    )
    try_it(driver, tmp_path)
