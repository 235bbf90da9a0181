"""The contract of workers, for jobs that run inside allocations."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.core.records import ShellSetup
from towline.testing.batch import end_allocations
from towline.testing.login_transport import LoginTransport
from towline.testing.payloads import EXTRA_PAYLOADS
from towline.testing.slurm_cluster import ACCOUNT, SlurmCluster
from towline.testing.worker_contract import MakeWorker, WorkerContract
from towline.workers.batch.plan import BatchPlan
from towline.workers.batch.worker import BatchWorker
from towline.workers.remote.folders import Site
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.schedulers.slurm import Slurm
from towline.workers.transports.local import LocalTransport


class TestBatchOnAShell(WorkerContract):
    """Allocations that are processes of this machine."""

    @pytest.fixture
    def make_worker(self, tmp_path: Path) -> Iterator[MakeWorker]:
        batch = BatchPlan(
            ShellQueue(0.3),
            str(tmp_path / "spool"),
            str(tmp_path / "allocations"),
            1,
            parallel_jobs=2,
            preload=("towline.testing.payloads",),
            max_wait=20,
            grace_seconds=0.3,
        )

        def make() -> BatchWorker:
            site = Site("here", str(tmp_path), ShellQueue(0.3), sys.executable)
            return BatchWorker(site, batch, LocalTransport("here"))

        yield make
        end_allocations(tmp_path / "allocations")


@pytest.mark.slurm
class TestBatchOnSlurm(WorkerContract):
    """Allocations of a cluster."""

    shell = ShellSetup(export={"TOWLINE_EXTRA_PAYLOADS": EXTRA_PAYLOADS})

    @pytest.fixture
    def tmp_path(self, slurm_cluster: SlurmCluster, tmp_path: Path) -> Path:
        return slurm_cluster.work_dir(tmp_path.name)

    @pytest.fixture
    def make_worker(self, slurm_cluster: SlurmCluster, tmp_path: Path, job_python: str) -> Iterator[MakeWorker]:
        batch = BatchPlan(
            Slurm(),
            str(tmp_path / "spool"),
            str(tmp_path / "allocations"),
            1,
            resources={"account": ACCOUNT, "nodes": 1, "ntasks": 2, "mem": 1500, "time": "00:05:00"},
            max_wait=20,
            grace_seconds=0.3,
        )

        def make() -> BatchWorker:
            site = Site("cluster", str(tmp_path), ShellQueue(), job_python)
            return BatchWorker(site, batch, LoginTransport("cluster", slurm_cluster.environment))

        yield make
        slurm_cluster.administer(f"scancel --account={ACCOUNT}")
