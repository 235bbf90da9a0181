"""Resources that a worker would refuse are refused before they are in the queue."""

import pytest
from jobflow import Flow

import towline
from towline.errors import InvalidRequest

PROJECT = """
name: words
workers:
  here: {type: local, scheduler_type: shell, work_dir: WORK/here}
  cluster: {type: remote, scheduler_type: slurm, host: nowhere.invalid, work_dir: /scratch/me}
  grid: {type: remote, scheduler_type: sge, host: nowhere.invalid, work_dir: /scratch/me}
  torque: {type: remote, scheduler_type: pbs, host: nowhere.invalid, work_dir: /scratch/me}
  login: {type: remote, scheduler_type: shell, host: nowhere.invalid, work_dir: /scratch/me}
  many: {type: remote, scheduler_type: slurm, host: nowhere.invalid, work_dir: /scratch/me, max_jobs: 1,
         resources: {nodes: 2, partition: debug}, batch: {parallel_jobs: 2}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    (tmp_path / "words.yaml").write_text(PROJECT.replace("WORK", str(tmp_path)))
    return tmp_path


@pytest.mark.parametrize(
    ("worker", "resources", "said"),
    [
        ("here", {"nodez": 1}, "does not know the resource 'nodez'"),
        ("here", {"time_limit": "soon"}, "soon"),
        ("cluster", {"nodez": 1}, "did you mean 'nodes'"),
        ("cluster", {"time_limit": "soon"}, "soon"),
        ("cluster", {"array": "9-1"}, "array"),
        ("grid", {"nodez": 1}, "nodez"),
        ("torque", {"nodez": 1}, "nodez"),
        ("login", {"partition": "debug"}, "partition"),
        ("many", {"partition": "debug"}, "partition"),
        ("many", {"nodes": 0}, "nodes"),
    ],
)
def test_a_word_or_a_value_that_means_nothing_is_refused(project, worker, resources, said):
    jobs = [towline.command("true"), towline.command("false")]
    with pytest.raises(InvalidRequest, match=f"for the worker {worker}") as refused:
        towline.submit_flow(Flow(jobs), worker=worker, resources=resources)
    assert said in str(refused.value)
    with towline.JobController.from_project_name("words") as controller:
        assert controller.count_jobs() == 0


def test_what_a_job_says_itself_is_read_as_its_own_worker_reads_it(project):
    job = towline.command("true")
    towline.set_run_config(job, worker="cluster", resources={"partition": "debug", "nodes": 2})
    towline.submit_flow(Flow([job, towline.command("true")]), worker="here")
    towline.set_run_config(other := towline.command("true"), worker="here", resources={"partition": "debug"})
    with pytest.raises(InvalidRequest, match="'partition'"):
        towline.submit_flow(Flow([other]), worker="cluster")


def test_what_each_scheduler_knows_is_accepted(project):
    for worker, resources in (
        ("here", {"time_limit": "0:10:00", "memory_gigabytes": 1}),
        ("cluster", {"nodes": 2, "time": 600, "account": "a", "array": "1-4%2"}),
        ("grid", {"time_limit": 600, "parallel_environment": "smp 4"}),
        ("torque", {"nodes": 2, "processes_per_node": 4}),
        ("many", {"nodes": 2, "processes_per_node": 1, "time_limit": 60}),
    ):
        towline.submit_flow(Flow([towline.command("true")]), worker=worker, resources=resources)
