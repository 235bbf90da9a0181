"""Flows on a real Slurm behind a real sshd: reasons of ends, policies that act on them, stopping, and few questions."""

from pathlib import Path
from typing import Any

import pytest

from towline import command
from towline.testing.jobs import add
from towline.testing.remote_project import RemoteProject
from towline.testing.slurm_cluster import ACCOUNT, SlurmCluster
from towline.testing.sshd import Server, SshSite
from towline.testing.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.ssh]


@pytest.fixture
def project(
    sshd: SshSite, login: Server, slurm_cluster: SlurmCluster, job_python: str, tmp_path: Path, monkeypatch: Any
) -> RemoteProject:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    worker = {
        "type": "remote",
        "scheduler_type": "slurm",
        "host": "login",
        "ssh_config": str(sshd.config),
        "work_dir": str(slurm_cluster.work_dir(tmp_path.name)),
        "python": job_python,
        "resources": {"account": ACCOUNT},
    }
    return RemoteProject(tmp_path / "home", {"cluster": worker})


def test_python_jobs_and_commands_run(project: RemoteProject, slurm_cluster: SlurmCluster) -> None:
    first = add(1, 2)
    ids = project.submit(first, command(["sh", "-c", "echo $SLURM_JOB_ACCOUNT"]))
    project.run()
    outputs = project.outputs()
    assert outputs[ids[0]] == 3
    assert outputs[ids[1]]["stdout_tail"] == f"{ACCOUNT}\n"
    printed = project.tow("job", "info", ids[1])
    assert "COMPLETED" in printed


def test_an_array_is_one_job_that_ends_with_its_last_task(project: RemoteProject) -> None:
    text = "echo task $SLURM_ARRAY_TASK_ID; touch out.$SLURM_ARRAY_TASK_ID; exit $((SLURM_ARRAY_TASK_ID / 9))"
    each = command(["sh", "-c", text], outputs=["out.*"])
    failing = command(["sh", "-c", text])
    (well,) = project.submit(each, resources={"account": ACCOUNT, "array": "1-7:2%2"})
    (badly,) = project.submit(failing, resources={"account": ACCOUNT, "array": "7,8,9"})
    project.run()
    assert project.states() == {well: "COMPLETED", badly: "FAILED"}
    output = project.outputs()[well]
    assert sorted(output["files"]) == ["out.1", "out.3", "out.5", "out.7"]
    assert sorted(output["stdout_tail"].splitlines()) == ["task 1", "task 3", "task 5", "task 7"]
    assert "exit code 1" in project.tow("job", "info", badly)


def test_a_hundred_jobs_take_few_questions(project: RemoteProject, login: Server) -> None:
    project.submit(*[command(["true"]) for _ in range(100)])
    before = login.log.count("Starting session:")
    project.run()
    assert list(project.states().values()) == ["COMPLETED"] * 100
    assert login.log.count("Starting session:") - before <= 12


def test_reasons_arrive_and_policies_act_on_them(project: RemoteProject, slurm_cluster: SlurmCluster) -> None:
    folder = Path(project.document["workers"]["cluster"]["work_dir"])
    hungry = command(
        "head -c 300M /dev/zero | tail | sh -c 'sleep 8; wc -c'",
        retry={"out_of_memory": {"times": 1, "multiply": {"memory_gigabytes": 16}}},
    )
    slow = command(
        "if [ -e step.chk ]; then echo resumed; else echo 1 >step.chk; sleep 300; fi",
        retry={"timeout": {"times": 1, "keep": ["*.chk"]}},
    )
    unlucky = command(f"if [ -e {folder}/second ]; then echo here; else sleep 300; fi", retry={"node_failure": 2})
    ended = command("sleep 300", retry={"any": 3})
    memory, checkpoint, node, cancelled = (
        *project.submit(hungry, resources={"account": ACCOUNT, "memory_gigabytes": 0.05}),
        *project.submit(slow),
        *project.submit(unlucky, resources={"account": ACCOUNT, "nodelist": "cn2"}),
        *project.submit(ended),
    )
    with project.runner():
        wait_until(lambda: all(project.states()[one] == "RUNNING" for one in (checkpoint, node, cancelled)), 60)
        queue_ids = {one: project.info(one).job.remote.process_id for one in (checkpoint, node, cancelled)}
        slurm_cluster.administer(f"scontrol update JobId={queue_ids[checkpoint]} EndTime=now+2")
        slurm_cluster.administer(f"scancel {queue_ids[cancelled]}")
        (folder / "second").touch()
        slurm_cluster.administer("scontrol update NodeName=cn2 State=down Reason=test")
        wait_until(lambda: len(project.info(node).earlier_attempts) == 1, 60, "the second attempt")
        slurm_cluster.administer("scontrol update NodeName=cn2 State=resume || true")
        wait_until(lambda: set(project.states().values()) <= {"COMPLETED", "FAILED"}, 120, "the end of all jobs")
    assert project.states() == {memory: "COMPLETED", checkpoint: "COMPLETED", node: "COMPLETED", cancelled: "FAILED"}
    before = {one: project.info(one).earlier_attempts for one in (memory, checkpoint, node)}
    assert [attempt.outcome["reason"] for attempt in before[memory]] == ["out_of_memory"]
    assert [attempt.outcome["reason"] for attempt in before[checkpoint]] == ["timeout"]
    assert [attempt.outcome["reason"] for attempt in before[node]] == ["node_failure"]
    assert project.outputs()[checkpoint]["stdout_tail"] == "resumed\n"
    said = " ".join(project.tow("job", "info", cancelled).split())
    assert "cancelled: the job was cancelled by user 0" in said
    assert f"tow job rerun {cancelled}" in said


def test_a_job_that_had_to_make_room_runs_again(project: RemoteProject) -> None:
    folder = Path(project.document["workers"]["cluster"]["work_dir"])
    patient = command(f"if [ -e {folder}/more ]; then echo again; else sleep 300; fi", retry={"preempted": 2})
    urgent = command("sleep 1")
    whole_node = {"account": ACCOUNT, "nodelist": "cn3", "exclusive": True}
    (waiting,) = project.submit(patient, resources={**whole_node, "partition": "spare"})
    with project.runner():
        wait_until(lambda: project.states()[waiting] == "RUNNING", 60, "the start")
        (folder / "more").touch()
        project.submit(urgent, resources={**whole_node, "partition": "debug"})
        wait_until(lambda: set(project.states().values()) == {"COMPLETED"}, 120, "the end of both")
    (before,) = project.info(waiting).earlier_attempts
    assert before.outcome["reason"] == "preempted"
    assert project.outputs()[waiting]["stdout_tail"] == "again\n"


def test_a_refusal_is_told_with_its_remedy(project: RemoteProject) -> None:
    (db_id,) = project.submit(command(["true"]), resources={"account": "nobody"})
    project.run(max_seconds=20)
    said = " ".join(project.tow("job", "info", db_id).split())
    assert "REMOTE_ERROR" in said
    assert "Invalid account" in said
    assert "sacctmgr show associations" in said


def test_a_stopped_job_leaves_the_queue(project: RemoteProject, slurm_cluster: SlurmCluster) -> None:
    running, held = (
        *project.submit(command("sleep 300")),
        *project.submit(command("true"), resources={"account": ACCOUNT, "qverbatim": "#SBATCH --hold"}),
    )
    with project.runner():
        wait_until(lambda: project.states() == {running: "RUNNING", held: "SUBMITTED"}, 60, "start and submission")
        wait_until(lambda: "the queue of slurm" in _said(project, held) and "JobHeldUser" in _said(project, held), 30)
        project.tow("job", "stop", running)
        project.tow("job", "stop", held)
        wait_until(lambda: not slurm_cluster.administer("squeue -h").strip(), 60, "an empty queue")
        assert set(project.states().values()) == {"USER_STOPPED"}
        wait_until(lambda: not project.info(running).ending and not project.info(held).ending, 60, "the confirmation")


def _said(project: RemoteProject, db_id: str) -> str:
    return " ".join(project.tow("job", "info", db_id).split())


def test_jobs_outlive_a_controller_that_restarts(project: RemoteProject, slurm_cluster: SlurmCluster) -> None:
    (db_id,) = project.submit(command("sleep 4; echo done"))
    with project.runner():
        wait_until(lambda: project.states()[db_id] == "RUNNING", 60, "the start")
        slurm_cluster.stop_controller()
        (later,) = project.submit(command("echo later"))
        wait_until(lambda: "in trouble" in project.tow("worker", "list"), 60, "the trouble")
        wait_until(lambda: project.states()[later] == "UPLOADED", 30, "the upload")
        slurm_cluster.start_controller()
        wait_until(lambda: set(project.states().values()) == {"COMPLETED"}, 120, "the end of both")


def test_a_job_that_slurm_starts_again_by_itself_is_followed(
    project: RemoteProject, slurm_cluster: SlurmCluster
) -> None:
    job = command("if [ -e first ]; then echo again; else touch first; sleep 300; fi")
    (db_id,) = project.submit(job, resources={"account": ACCOUNT, "requeue": True})
    with project.runner():
        wait_until(lambda: project.states()[db_id] == "RUNNING", 60, "the start")
        slurm_cluster.administer(f"scontrol requeue {project.info(db_id).job.remote.process_id}")
        wait_until(lambda: project.states()[db_id] == "COMPLETED", 100, "the second run")
    assert project.outputs()[db_id]["stdout_tail"].endswith("again\n")
    assert project.info(db_id).job.attempt == 1
