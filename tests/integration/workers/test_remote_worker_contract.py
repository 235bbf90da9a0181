"""The contract of workers, for the remote worker on every transport and scheduler that there is."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from towline.core.records import ShellSetup
from towline.testing.debian import JOB_USER
from towline.testing.grid_engine import GridEngine as GridEngineCluster
from towline.testing.login_transport import LoginTransport
from towline.testing.payloads import EXTRA_PAYLOADS
from towline.testing.pbs_site import PbsSite
from towline.testing.slurm_cluster import ACCOUNT, SlurmCluster
from towline.testing.sshd import SshSite
from towline.testing.worker_contract import HOSTILE_NAMES, MakeWorker, WorkerContract
from towline.testing.worker_driver import WorkerDriver, assignment, is_alive, output_of
from towline.workers.remote.folders import Site
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.remote.worker import RemoteWorker
from towline.workers.schedulers.pbs import Pbs
from towline.workers.schedulers.scheduler import Scheduler
from towline.workers.schedulers.sge import GridEngine
from towline.workers.schedulers.slurm import Slurm
from towline.workers.transports.local import LocalTransport
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.ssh_settings import SshSettings
from towline.workers.transports.transport import Transport

_KNOWS_THE_TEST_PAYLOAD = ShellSetup(export={"TOWLINE_EXTRA_PAYLOADS": EXTRA_PAYLOADS})


class TestShellBehindAProcess(WorkerContract):
    """A host without a scheduler, reached by starting shells on this machine."""

    @pytest.fixture
    def make_worker(self, tmp_path: Path) -> Iterator[MakeWorker]:
        def make() -> RemoteWorker:
            site = Site("here", str(tmp_path), ShellQueue(0.3), sys.executable)
            return RemoteWorker(site, LocalTransport("here"), 2)

        return make


@pytest.mark.ssh
class TestShellBehindSsh(WorkerContract):
    """A host without a scheduler behind SSH."""

    shell = _KNOWS_THE_TEST_PAYLOAD

    @pytest.fixture
    def tmp_path(self, sshd: SshSite, tmp_path: Path) -> Path:
        folder = sshd.folder / tmp_path.name
        folder.mkdir()
        shutil.chown(folder, JOB_USER)
        return folder

    @pytest.fixture
    def make_worker(self, sshd: SshSite, tmp_path: Path, job_python: str) -> MakeWorker:
        if "host" not in sshd.servers:
            sshd.add("host")

        def make() -> RemoteWorker:
            transport = SshTransport("host", SshSettings("host", config_file=sshd.config))
            return RemoteWorker(Site("host", str(tmp_path), ShellQueue(0.3), job_python), transport, 2)

        return make


class _BatchContract(WorkerContract):
    """What is different where a batch scheduler starts the jobs."""

    shell = _KNOWS_THE_TEST_PAYLOAD
    scheduler: Scheduler
    resources: Mapping[str, Any] = {}
    #: A time limit that is soon over, and what the message says of it.
    short_limit: Mapping[str, Any] | None = None
    #: Parts of paths that the scheduler cannot have.
    refused_in_paths: tuple[str, ...] = ()

    def job(self, work_dir: Path, number: int, *actions: list[Any], **details: Any) -> Any:
        resources = {**self.resources, **details.pop("resources", {})}
        return assignment(work_dir, number, *actions, shell=self.shell, resources=resources, **details)

    @pytest.fixture
    def transport(self) -> Transport:
        raise NotImplementedError

    @pytest.fixture
    def make_worker(self, transport: Transport, tmp_path: Path, job_python: str) -> MakeWorker:
        def make() -> RemoteWorker:
            return RemoteWorker(Site("cluster", str(tmp_path), self.scheduler, job_python), transport, 4)

        return make

    def test_a_time_limit_is_kept(self, driver: WorkerDriver, tmp_path: Path) -> None:
        if self.short_limit is None:
            pytest.skip("limits of this scheduler take minutes; tests of its accounting have the case")
        job = self.job(tmp_path, 1, ["sleep", 300], resources=self.short_limit)
        (end,) = driver.run(job)
        assert end.exit is not None
        assert end.exit.reason == "timeout"

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_the_name_of_a_folder_is_only_a_name(self, driver: WorkerDriver, tmp_path: Path, name: str) -> None:
        job = self.job(tmp_path, 1, ["facts"], folder=f"x/{name}/y")
        driver.hand_over(job)
        driver.wait(lambda: driver.find(job.key, "ended") or driver.find(job.key, "step_failed"))
        refused, end = driver.find(job.key, "step_failed"), driver.find(job.key, "ended")
        assert not list(tmp_path.rglob("injected"))
        if refused is not None:
            assert any(letter in name for letter in self.refused_in_paths)
            assert not refused.may_retry
        else:
            assert end is not None
            assert output_of(job, end)["cwd"] == job.run_dir


@pytest.mark.slurm
class TestSlurm(_BatchContract):
    scheduler = Slurm()
    resources: Mapping[str, Any] = {"account": ACCOUNT}
    refused_in_paths = ("\\", "%")

    @pytest.fixture
    def tmp_path(self, slurm_cluster: SlurmCluster, tmp_path: Path) -> Path:
        return slurm_cluster.work_dir(tmp_path.name)

    @pytest.fixture
    def transport(self, slurm_cluster: SlurmCluster) -> Transport:
        return LoginTransport("cluster", slurm_cluster.environment)


@pytest.mark.grid_engine
class TestGridEngine(_BatchContract):
    scheduler = GridEngine()
    short_limit: Mapping[str, Any] = {"walltime": "0:0:2"}
    refused_in_paths = ("\\", "\n", "$", ":", "%", "*", "?", '"', "'", "`", "ü")

    @pytest.fixture
    def tmp_path(self, grid_engine: GridEngineCluster, tmp_path: Path) -> Path:
        return grid_engine.work_dir(tmp_path.name)

    @pytest.fixture
    def transport(self, grid_engine: GridEngineCluster) -> Transport:
        return LoginTransport("cluster", grid_engine.environment, grid_engine.inside())


@pytest.mark.pbs
class TestPbs(_BatchContract):
    scheduler = Pbs()
    resources: Mapping[str, Any] = {"select": "1:ncpus=1"}
    short_limit: Mapping[str, Any] = {"walltime": "1"}
    refused_in_paths = ("\\", "\n", "$", ":", "%", "*", "?", '"', "'", "`", ",")

    @pytest.fixture
    def transport(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transport]:
        site = PbsSite(tmp_path / "site")
        for key, value in site.environment.items():
            monkeypatch.setenv(key, value)
        yield LocalTransport("cluster")
        site.stop()

    @pytest.fixture
    def job_python(self) -> str:
        return sys.executable

    def test_a_cancelled_job_is_gone_with_its_children(self, driver: WorkerDriver, tmp_path: Path) -> None:
        # PBS ends the session of a job; what leaves the session is ended only where the site has control groups.
        pid = tmp_path / "same group"
        job = self.job(tmp_path, 1, ["ignore_signals"], ["background", str(pid), "attached"], ["sleep", 300])
        driver.hand_over(job)
        driver.wait(lambda: pid.exists() and pid.read_text())
        driver.cancel(job)
        end = driver.wait_for(job.key, "ended")
        driver.wait_for(job.key, "cancelled")
        assert end.exit is not None
        assert end.exit.reason == "cancelled"
        assert not is_alive(int(pid.read_text()))
