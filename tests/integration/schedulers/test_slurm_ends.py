"""How jobs end and are refused in a real Slurm, and what is said while parts of it are down."""

import itertools
import pwd
import time
from collections.abc import Mapping
from typing import Any

import pytest

from towline.testing.debian import JOB_USER
from towline.testing.scheduler_contract import SchedulerDriver
from towline.testing.slurm_cluster import ACCOUNT, SlurmCluster
from towline.testing.waiting import wait_until
from towline.workers.schedulers.scheduler import EndReason, JobEnd, Outcome, QueuedJob, QueueState
from towline.workers.schedulers.slurm import Slurm

pytestmark = pytest.mark.slurm

_numbers = itertools.count(1)


@pytest.fixture
def jobs(slurm_cluster: SlurmCluster) -> SchedulerDriver:
    """Submits jobs."""
    folder = slurm_cluster.work_dir(f"ends{next(_numbers)}")
    return SchedulerDriver(Slurm(), slurm_cluster, folder, {"account": ACCOUNT, "time": "5"})


def end_of(jobs: SchedulerDriver, job: QueuedJob, timeout_seconds: float = 60) -> JobEnd:
    end = jobs.end_of(job, timeout_seconds).end
    assert end is not None
    return end


def test_a_job_at_its_time_limit(jobs: SchedulerDriver, slurm_cluster: SlurmCluster) -> None:
    job = jobs.accepted("sleep 300")
    jobs.wait_for(QueueState.RUNNING, job)
    slurm_cluster.administer(f"scontrol update JobId={job.queue_id} EndTime=now+2")
    end = end_of(jobs, job, 90)
    assert end.reason is EndReason.TIMEOUT
    assert "time limit" in end.message


def test_a_job_that_uses_more_memory_than_it_asked_for(jobs: SchedulerDriver) -> None:
    job = jobs.accepted("head -c 300M /dev/zero | tail | sleep 60", resources={"mem": "50M"})
    status = jobs.end_of(job, 90)
    assert status.end is not None
    assert status.end.reason is EndReason.OUT_OF_MEMORY
    assert status.peak_memory_bytes is not None
    assert status.peak_memory_bytes > 50 * 1024**2


def test_a_job_whose_node_went_down(jobs: SchedulerDriver, slurm_cluster: SlurmCluster) -> None:
    job = jobs.accepted("sleep 300", resources={"nodelist": "cn2"})
    status = jobs.wait_for(QueueState.RUNNING, job)[0]
    assert status.nodes == "cn2"
    slurm_cluster.administer("scontrol update NodeName=cn2 State=down Reason=test")
    assert end_of(jobs, job).reason is EndReason.NODE_FAILURE
    slurm_cluster.administer("scontrol update NodeName=cn2 State=resume || true")
    slurm_cluster.wait_for_idle_nodes()


def test_a_job_whose_folder_is_not_there(jobs: SchedulerDriver) -> None:
    end = end_of(jobs, jobs.accepted("true", resources={"qverbatim": "#SBATCH --chdir=/no/such/folder"}))
    assert end.reason is EndReason.NEVER_STARTED
    assert "folder" in end.message


def test_a_job_whose_parent_failed_waits_and_then_never_starts(jobs: SchedulerDriver) -> None:
    parent = jobs.accepted("while ! [ -e go ]; do sleep 0.1; done; exit 1", "parent")
    child = jobs.accepted("touch ran", "child", resources={"dependency": f"afterok:{parent.queue_id}"})
    status = jobs.wait_for(QueueState.HELD, child)[0]
    assert status.reason == "Dependency"
    (jobs.folder / "parent" / "go").touch()
    assert end_of(jobs, child).reason is EndReason.NEVER_STARTED
    assert not (jobs.folder / "child" / "ran").exists()


def test_who_cancelled_a_job_is_known(jobs: SchedulerDriver, slurm_cluster: SlurmCluster) -> None:
    own, other = jobs.accepted("sleep 300"), jobs.accepted("sleep 300")
    jobs.wait_for(QueueState.RUNNING, own, other)
    jobs.cancel(own)
    slurm_cluster.administer(f"scancel {other.queue_id}")
    assert end_of(jobs, own).ended_by == str(pwd.getpwnam(JOB_USER).pw_uid)
    assert end_of(jobs, other).ended_by == "0"


@pytest.mark.parametrize(
    ("resources", "remedy"),
    [
        pytest.param({"account": "nobody"}, "sacctmgr show associations", id="account"),
        pytest.param({"qos": "golden"}, "qos", id="qos"),
        pytest.param({"partition": "nowhere"}, "partition", id="partition"),
        pytest.param({"constraint": "quantum"}, "constraint", id="constraint"),
        pytest.param({"mem": "9T"}, "less memory", id="memory"),
        pytest.param({"gpus": 9}, "fewer GPUs", id="gpus"),
        pytest.param({"time": "2-00:00:00"}, "less time", id="time limit"),
        pytest.param({"time": "soon"}, "hours:minutes:seconds", id="time that is none"),
        pytest.param({"array": "1-99999"}, "array", id="array"),
        pytest.param({"dependency": "afterok:x"}, "dependency", id="dependency"),
        pytest.param({"reservation": "mine"}, "reservation", id="reservation"),
        pytest.param({"licenses": "gold"}, "licenses", id="licences"),
        pytest.param({"qverbatim": "#SBATCH --nonsense"}, "qverbatim", id="option"),
    ],
)
def test_each_refusal_has_its_remedy(jobs: SchedulerDriver, resources: Mapping[str, Any], remedy: str) -> None:
    answer = jobs.submit(jobs.prepare("true", resources=resources))[0]
    assert answer.outcome is Outcome.REFUSED
    assert answer.refusal is not None
    assert remedy in answer.refusal.remedy
    assert not answer.refusal.may_retry


def test_too_many_jobs_may_be_tried_again(jobs: SchedulerDriver) -> None:
    first, second = (jobs.prepare("sleep 300", resources={"qos": "scarce"}) for _ in range(2))
    answers = jobs.submit(first, second)
    assert [one.outcome for one in answers] == [Outcome.SUBMITTED, Outcome.REFUSED]
    assert answers[1].refusal is not None
    assert answers[1].refusal.may_retry
    jobs.cancel(*jobs.queued(answers[:1]))


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        pytest.param({"gpus": 2}, "CUDA_VISIBLE_DEVICES=0,1", id="gpus"),
        pytest.param({"gpus_per_job": 1}, "CUDA_VISIBLE_DEVICES=0", id="portable gpus"),
        pytest.param({"nodes": 2, "ntasks_per_node": 3}, "SLURM_NTASKS=6", id="words"),
        pytest.param({"nodes": 2, "processes": 6}, "SLURM_NTASKS=6", id="portable"),
        pytest.param({"processes": 2, "threads_per_process": 3}, "SLURM_CPUS_PER_TASK=3", id="threads"),
        pytest.param({"time_limit": 120, "memory_per_thread": 200}, "SLURM_MEM_PER_CPU=200", id="memory"),
        pytest.param({"qos": "premium", "queue_name": "regular"}, "SLURM_JOB_QOS=premium", id="qos"),
        pytest.param({"exclusive": True, "licenses": "scratch:1"}, "SLURM_JOB_ID=", id="exclusive"),
        pytest.param({"constraint": "gpu"}, "SLURM_JOB_NODELIST=cn3", id="constraint"),
        pytest.param({"job_name": "$(touch injected) 'x'"}, "SLURM_JOB_NAME=touch_injected___x_.tow", id="name"),
        pytest.param({"comment": "a \"b\" 'c' # x | \\ $(touch injected)"}, "SLURM_JOB_ID=", id="comment"),
    ],
)
def test_resources_arrive(jobs: SchedulerDriver, resources: Mapping[str, Any], told: str) -> None:
    job = jobs.accepted("env | grep -E '^(SLURM|CUDA)'", "run", resources=resources)
    assert end_of(jobs, job).reason is EndReason.COMPLETED
    assert told in (jobs.folder / "run" / "queue.out").read_text()
    assert not list(jobs.folder.rglob("injected"))


def test_mail_is_sent(jobs: SchedulerDriver, slurm_cluster: SlurmCluster) -> None:
    job = jobs.accepted("true", resources={"mail_user": "me@example.org", "mail_type": ["END", "FAIL"]})
    jobs.end_of(job)

    def mails() -> list[str]:
        return [file.read_text() for file in (slurm_cluster.folder / "mail").iterdir()]

    wait_until(lambda: any(f"Job_id={job.queue_id} " in mail and "me@example.org" in mail for mail in mails()))


def test_while_the_controller_is_down_no_job_changes(jobs: SchedulerDriver, slurm_cluster: SlurmCluster) -> None:
    job = jobs.accepted("sleep 2; echo done")
    jobs.wait_for(QueueState.RUNNING, job)
    slurm_cluster.stop_controller()
    try:
        answer = jobs.look(job)
        assert answer.problem
        assert "Unable to contact" in answer.problem
        assert answer.missing == ()
        assert answer.statuses[job.queue_id].state is QueueState.UNKNOWN
        refused = jobs.submit(jobs.prepare("echo once >>runs", "later"))[0]
        assert refused.outcome is Outcome.REFUSED
        assert refused.refusal is not None
        assert refused.refusal.may_retry
        done = slurm_cluster.run(jobs.scheduler.cancel_command([job.queue_id]))
        assert jobs.scheduler.read_cancellation(done.stdout)
    finally:
        slurm_cluster.start_controller()
    assert end_of(jobs, job).reason is EndReason.COMPLETED
    again = jobs.queued(jobs.submit(refused.submission))[0]
    assert end_of(jobs, again).reason is EndReason.COMPLETED
    assert (jobs.folder / "later" / "runs").read_text() == "once\n"


def test_while_the_accounting_is_down_no_job_ends(jobs: SchedulerDriver, slurm_cluster: SlurmCluster) -> None:
    slurm_cluster.stop_accounting()
    try:
        job = jobs.accepted("exit 4")
        answers = []

        def accounting_was_asked() -> bool:
            answers.append(jobs.look(job))
            return answers[-1].problem is not None

        wait_until(accounting_was_asked)
        assert "sacct" in str(answers[-1].problem)
        assert {answer.statuses[job.queue_id].end for answer in answers} == {None}
    finally:
        slurm_cluster.start_accounting()
    assert end_of(jobs, job).exit_code == 4


def test_what_the_accounting_says_of_a_job_that_waits_is_not_believed(jobs: SchedulerDriver) -> None:
    job = jobs.accepted("true", resources={"qverbatim": "#SBATCH --hold"})
    output = jobs.site.run(jobs.scheduler.accounting_command([job])).stdout
    answer = jobs.scheduler.read_accounting(output, [job])
    assert answer.statuses[job.queue_id].state is QueueState.UNKNOWN
    assert answer.missing == (job.queue_id,)
    jobs.cancel(job)


def test_an_end_is_told_within_seconds_of_it(jobs: SchedulerDriver) -> None:
    job = jobs.accepted("true")
    status = jobs.end_of(job)
    assert status.ended_at is not None
    # sacct gives whole seconds, and learns of it a moment later.
    assert time.time() - status.ended_at < 10
