"""Real schedulers, started once for all tests that want them."""

import shutil
from collections.abc import Iterator

import pytest

from towline.testing.account_python import account_python
from towline.testing.debian import NotPossibleHere, server_folder
from towline.testing.grid_engine import GridEngine
from towline.testing.slurm_cluster import SlurmCluster
from towline.testing.sshd import Server, SshSite, site_or_skip


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmCluster]:
    """A Slurm of three nodes."""
    try:
        cluster = SlurmCluster()
    except NotPossibleHere as reason:
        pytest.skip(f"no Slurm for tests: {reason}")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def grid_engine() -> Iterator[GridEngine]:
    """A Grid Engine of one node."""
    try:
        cluster = GridEngine()
    except NotPossibleHere as reason:
        pytest.skip(f"no Grid Engine for tests: {reason}")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def sshd() -> Iterator[SshSite]:
    """A user with keys, known hosts and a configuration; servers are added by who needs them."""
    with site_or_skip("sshd") as site:
        yield site


@pytest.fixture
def login(sshd: SshSite, slurm_cluster: SlurmCluster) -> Server:
    """The login node of the cluster."""
    settings = f"SetEnv SLURM_CONF={slurm_cluster.environment['SLURM_CONF']}"
    return sshd.servers.get("login") or sshd.add("login", settings)


@pytest.fixture(scope="session")
def job_python() -> Iterator[str]:
    """A Python that the account of jobs may run."""
    folder = server_folder("python")
    try:
        yield str(account_python(folder))
    except NotPossibleHere as reason:
        pytest.skip(str(reason))
    finally:
        shutil.rmtree(folder)
