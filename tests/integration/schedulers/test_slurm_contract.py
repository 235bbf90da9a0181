"""The contract of schedulers, on a real Slurm."""

import pytest

from towline.testing.scheduler_contract import SchedulerContract, Site
from towline.testing.slurm_cluster import ACCOUNT, SlurmCluster
from towline.workers.schedulers.slurm import Slurm

pytestmark = pytest.mark.slurm


class TestSlurm(SchedulerContract):
    scheduler = Slurm()
    resources = {"account": ACCOUNT, "time": "5"}
    refused_resources = {"partition": "nowhere"}
    held_resources = {"qverbatim": "#SBATCH --hold"}
    program = "sbatch"
    many = 100

    @pytest.fixture
    def site(self, slurm_cluster: SlurmCluster) -> Site:
        return slurm_cluster
