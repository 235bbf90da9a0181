"""The contract of schedulers, on a real Grid Engine."""

import pytest

from towline.testing.grid_engine import GridEngine as Cluster
from towline.testing.scheduler_contract import SchedulerContract, SchedulerDriver, Site
from towline.workers.schedulers.scheduler import EndReason
from towline.workers.schedulers.sge import GridEngine

pytestmark = pytest.mark.grid_engine


class TestGridEngine(SchedulerContract):
    scheduler = GridEngine()
    resources = {"walltime": "0:05:00"}
    refused_resources = {"queue": "nowhere.q"}
    held_resources = {"hold": True}
    program = "qsub"
    signal_end = (EndReason.SIGNAL, 137, 9)
    tells_cancellation = False
    remembers_never_started = False

    @pytest.fixture
    def site(self, grid_engine: Cluster) -> Site:
        return grid_engine

    def test_a_job_that_reached_its_time_limit_is_told(self, jobs: SchedulerDriver) -> None:
        end = jobs.end_of(jobs.accepted("sleep 100", resources={"walltime": "0:0:2"})).end
        assert end is not None
        assert end.reason is EndReason.TIMEOUT

    def test_a_job_in_the_error_state_will_not_run(self, jobs: SchedulerDriver) -> None:
        job = jobs.accepted("true", resources={"qverbatim": "#$ -wd /no/such/folder"})
        end = jobs.end_of(job).end
        assert end is not None
        assert end.reason is EndReason.NEVER_STARTED
        assert "qdel" in end.message
        jobs.cancel(job)
