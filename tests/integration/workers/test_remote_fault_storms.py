"""Every fault between a runner and its jobs, each at its moment; `python -m benchmarks r6` makes each 50 times."""

from collections.abc import Iterator

import pytest

from towline.testing.debian import NotPossibleHere
from towline.testing.fault_site import FaultSite, fault_site
from towline.testing.faults import FAULTS, make
from towline.testing.slurm_cluster import SlurmCluster

#: On the cluster only what is different there: the rest is the same code as on a host.
_ON_A_CLUSTER = (
    "connection cut in the submission",
    "runner killed: in a poll",
    "runner killed: before sbatch",
    "runner killed: after sbatch",
    "slurmctld restarted",
    "node set down",
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultSite]:
    try:
        with fault_site("shell", tmp_path_factory.mktemp("host") / "home") as site:
            site.start_runner()
            yield site
    except NotPossibleHere as reason:
        pytest.skip(f"no sshd for tests: {reason}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, slurm_cluster: SlurmCluster) -> Iterator[FaultSite]:
    with fault_site("slurm", tmp_path_factory.mktemp("cluster") / "home", slurm_cluster) as site:
        site.start_runner()
        yield site


@pytest.mark.ssh
@pytest.mark.parametrize("fault", FAULTS["shell"])
def test_a_fault_on_a_host_does_no_job_any_harm(host: FaultSite, fault: str) -> None:
    outcome = make(host, fault)
    assert outcome.losses.none, outcome.explanation


@pytest.mark.slurm
@pytest.mark.ssh
@pytest.mark.parametrize("fault", _ON_A_CLUSTER)
def test_a_fault_on_a_cluster_does_no_job_any_harm(cluster: FaultSite, fault: str) -> None:
    outcome = make(cluster, fault)
    assert outcome.losses.none, outcome.explanation
