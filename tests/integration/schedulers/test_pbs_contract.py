"""The contract of schedulers, on the program that plays OpenPBS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.testing.pbs_site import PbsSite
from towline.testing.scheduler_contract import SchedulerContract, SchedulerDriver, Site
from towline.workers.schedulers.pbs import Pbs
from towline.workers.schedulers.scheduler import EndReason, Outcome, QueueState

pytestmark = pytest.mark.pbs


class TestPbs(SchedulerContract):
    scheduler = Pbs()
    resources = {"select": "1:ncpus=1", "walltime": "00:05:00"}
    refused_resources = {"queue": "nowhere"}
    held_resources = {"hold": True}
    program = "qsub"
    signal_end = (EndReason.SIGNAL, 137, 9)

    @pytest.fixture
    def site(self, tmp_path: Path) -> Iterator[Site]:
        site = PbsSite(tmp_path)
        yield site
        site.stop()

    def test_a_job_that_reached_its_time_limit_is_told(self, jobs: SchedulerDriver) -> None:
        end = jobs.end_of(jobs.accepted("sleep 100", resources={"walltime": "1"})).end
        assert end is not None
        assert end.reason is EndReason.TIMEOUT

    def test_a_job_whose_parent_failed_never_started(self, jobs: SchedulerDriver) -> None:
        parent = jobs.accepted("exit 1")
        child = jobs.accepted("true", resources={"dependency": f"afterok:{parent.queue_id}"})
        end = jobs.end_of(child).end
        assert end is not None
        assert end.reason is EndReason.NEVER_STARTED
        assert parent.queue_id in end.message

    def test_without_history_the_end_of_a_job_is_unknown(self, jobs: SchedulerDriver, site: PbsSite) -> None:
        site.set(history=False)
        job = jobs.accepted("touch ran", "forgotten")
        while not jobs.look(job).missing:
            assert jobs.look(job).problem is None
        assert jobs.look(job).statuses[job.queue_id].state is QueueState.UNKNOWN
        facts = self.scheduler.read_check(site.run(self.scheduler.check_command()).stdout)
        assert not facts.has_accounting
        assert "job_history_enable" in facts.problems[0]

    def test_a_server_that_is_down_changes_no_job(self, jobs: SchedulerDriver, site: PbsSite) -> None:
        job = jobs.accepted("true")
        jobs.end_of(job)
        site.set(down=True)
        answer = jobs.look(job)
        assert answer.problem
        assert "cannot connect" in answer.problem
        assert answer.missing == ()
        assert answer.statuses[job.queue_id].state is QueueState.UNKNOWN
        refused = jobs.submit(jobs.prepare("true"))[0]
        assert refused.outcome is Outcome.REFUSED
        assert refused.refusal is not None
        assert refused.refusal.may_retry
        assert self.scheduler.read_cancellation(site.run(self.scheduler.cancel_command([job.queue_id])).stdout)
