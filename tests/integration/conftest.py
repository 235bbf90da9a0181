"""Real schedulers, started once for all tests that want them."""

from collections.abc import Iterator

import pytest

from towline.testing.debian import NotPossibleHere
from towline.testing.grid_engine import GridEngine
from towline.testing.slurm_cluster import SlurmCluster


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
