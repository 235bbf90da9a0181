"""Batch workers on a real Slurm behind a real sshd: several nodes, limits, cancelled allocations, killed runners."""

import json
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from towline import command
from towline.operations.controller import JobController
from towline.testing.debian import JOB_USER
from towline.testing.jobs import add
from towline.testing.remote_project import RemoteProject
from towline.testing.slurm_cluster import ACCOUNT, SlurmCluster
from towline.testing.sshd import Server, SshSite
from towline.testing.waiting import wait_until
from towline.testing.worker_driver import lines_of

pytestmark = [pytest.mark.slurm, pytest.mark.ssh]

RESOURCES = {"account": ACCOUNT, "nodes": 1, "ntasks": 2, "mem": 1000, "time": "00:10:00"}


@pytest.fixture
def project(
    sshd: SshSite, login: Server, slurm_cluster: SlurmCluster, job_python: str, tmp_path: Path, monkeypatch: Any
) -> Iterator[RemoteProject]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    worker = {
        "type": "remote",
        "scheduler_type": "slurm",
        "host": "login",
        "ssh_config": str(sshd.config),
        "work_dir": str(slurm_cluster.work_dir(tmp_path.name)),
        "python": job_python,
        "resources": RESOURCES,
        "max_jobs": 1,
        "time_limit_grace_seconds": 1,
        "batch": {"max_wait": 30},
    }
    yield RemoteProject(tmp_path / "home", {"cluster": worker})
    slurm_cluster.administer(f"scancel --account={ACCOUNT}")
    slurm_cluster.wait_for_idle_nodes()


def trace_in(project: RemoteProject) -> Path:
    """A file that jobs of the cluster's user can write to."""
    trace = Path(project.document["workers"]["cluster"]["work_dir"]) / "trace"
    trace.touch()
    shutil.chown(trace, JOB_USER)
    return trace


def batches(project: RemoteProject) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.tow("batch", "list", "--json", "-m", "0"))
    return found


def ended(project: RemoteProject) -> bool:
    return set(project.states().values()) <= {"COMPLETED", "FAILED", "REMOTE_ERROR", "USER_STOPPED"}


def test_python_jobs_and_commands_share_an_allocation(project: RemoteProject, slurm_cluster: SlurmCluster) -> None:
    jobs = [add(number, 1) for number in range(40)]
    ids = project.submit(*jobs, command("echo $SLURM_JOB_ID >number", outputs=["number"]), command("exit 3"))
    with project.runner():
        wait_until(lambda: ended(project), 90, "the end of all jobs")
    assert project.states() == dict.fromkeys(ids[:-1], "COMPLETED") | {ids[-1]: "FAILED"}
    outputs = project.outputs()
    assert [outputs[one] for one in ids[:40]] == list(range(1, 41))
    (batch,) = batches(project)
    name = Path(outputs[ids[40]]["files"]["number"]["path"])
    assert name.read_text().strip() == batch["process_id"]
    assert {job["db_id"] for job in batch["jobs"]} == set(ids)
    went_through = [event.to_state for event in project.info(ids[0]).events]
    assert went_through.index("BATCH_SUBMITTED") < went_through.index("COMPLETED")
    with JobController.from_project_name() as controller:
        (doc,) = controller.get_batches(db_ids=ids[0])
        assert doc.process_id == batch["process_id"]
        assert controller.get_batches(db_ids=ids[0], batch_state="SUBMITTED") == []
        assert controller.count_batches(worker="cluster") == 1
        assert controller.get_batch_process_id(doc.batch_uid) == (doc.process_id, "cluster")


def test_jobs_are_spread_over_the_nodes(project: RemoteProject, slurm_cluster: SlurmCluster) -> None:
    resources = {**RESOURCES, "nodes": 2, "ntasks": 4, "ntasks_per_node": 2}
    project.configure("cluster", resources=resources)
    ids = project.submit(*[command("echo $SLURMD_NODENAME; sleep 1") for _ in range(8)])
    with project.runner():
        wait_until(lambda: ended(project), 90, "the end of all jobs")
    where = [project.outputs()[one]["stdout_tail"].strip() for one in ids]
    assert len(set(where)) == 2
    assert min(where.count(name) for name in set(where)) >= 2
    assert len(batches(project)) == 1


def test_a_job_over_two_nodes_gets_them_among_others(project: RemoteProject, slurm_cluster: SlurmCluster) -> None:
    resources = {**RESOURCES, "nodes": 2, "ntasks": 4, "ntasks_per_node": 2}
    project.configure("cluster", resources=resources)
    trace = trace_in(project)
    line = "echo $SLURM_PROCID $SLURMD_NODENAME"
    narrow = [command(f"echo {number} >>{trace}; sleep 0.5") for number in range(8)]
    ids = project.submit(*narrow[:4])
    (wide,) = project.submit(
        command(f"echo $TOWLINE_HOSTS; sort $TOWLINE_HOST_FILE | uniq -c; srun bash -c '{line}'; sleep 1"),
        resources={"nodes": 2, "processes": 4},
    )
    (many,) = project.submit(command("true"), resources={"nodes": 4})
    ids += project.submit(*narrow[4:])
    with project.runner():
        wait_until(lambda: ended(project), 120, "the end of all jobs")
    assert {project.states()[one] for one in (*ids, wide)} == {"COMPLETED"}
    assert sorted(map(int, lines_of(trace))) == list(range(8))
    hosts, *said = project.outputs()[wide]["stdout_tail"].splitlines()
    names = hosts.split(",")
    assert [line.split() for line in said[:2]] == [["2", name] for name in sorted(names)]
    assert sorted(said[2:]) == [f"{number} {names[number // 2]}" for number in range(4)]
    assert "it asks for 4 nodes, and an allocation has 2" in project.tow("job", "info", many)


def test_an_allocation_that_is_cancelled_hands_its_jobs_back(
    project: RemoteProject, slurm_cluster: SlurmCluster
) -> None:
    trace = trace_in(project)
    held = project.submit(
        *[command(f"if [ -e {trace}.go ]; then echo {number} >>{trace}; else sleep 300; fi") for number in (1, 2)]
    )
    others = project.submit(*[command(f"echo {number} >>{trace}") for number in range(3, 30)])
    with project.runner():
        wait_until(lambda: {project.states()[one] for one in held} == {"BATCH_RUNNING"}, 60, "the start")
        (trace.parent / "trace.go").touch()
        slurm_cluster.administer(f"scancel {batches(project)[0]['process_id']}")
        wait_until(lambda: ended(project), 120, "the end of all jobs")
    assert {project.states()[one] for one in (*held, *others)} == {"COMPLETED"}
    assert sorted(map(int, lines_of(trace))) == list(range(1, 30))
    assert len(batches(project)) == 2
    reasons = [attempt.outcome["reason"] for one in held for attempt in project.info(one).earlier_attempts]
    assert reasons == ["interrupted", "interrupted"]


def test_an_allocation_that_waits_is_taken_out_of_the_queue(
    project: RemoteProject, slurm_cluster: SlurmCluster
) -> None:
    whole = f"--account={ACCOUNT} --nodes=3 --ntasks-per-node=8 --mem=100 --time=5"
    filler = slurm_cluster.administer(f"sbatch --parsable {whole} --wrap 'sleep 300'").strip()
    wait_until(lambda: "RUNNING" in slurm_cluster.administer(f"squeue -h -j {filler} -o %T"), 60, "a full cluster")
    (job,) = project.submit(command("true"))
    with project.runner():
        wait_until(lambda: len(batches(project)) == 1, 60, "an allocation")
    for verb in ("drain", "cancel"):
        (newest, *_) = batches(project)
        assert newest["explanation"] == "it waits in the queue of its scheduler"
        said = project.tow("batch", verb, newest["process_id"], "--yes")
        assert "had not begun, and was taken out of the queue" in said
        assert newest["process_id"] not in slurm_cluster.administer("squeue -h -o %i").split()
        with project.runner():
            wait_until(lambda known=newest: batches(project)[0]["batch_uid"] != known["batch_uid"], 60, "the next one")
    slurm_cluster.administer(f"scancel {filler}")
    with project.runner():
        wait_until(lambda: project.states()[job] == "COMPLETED", 90, "the end of the job")
    assert [item["reason"] for item in batches(project)[1:]] == ["cancelled", "cancelled"]


def test_a_lost_node_hands_its_jobs_back(project: RemoteProject, slurm_cluster: SlurmCluster) -> None:
    trace = trace_in(project)
    (held,) = project.submit(command(f"if [ -e {trace}.go ]; then echo 1 >>{trace}; else sleep 300; fi"))
    with project.runner():
        wait_until(lambda: project.states()[held] == "BATCH_RUNNING", 60, "the start")
        (trace.parent / "trace.go").touch()
        node = slurm_cluster.administer(f"squeue -h -j {batches(project)[0]['process_id']} -o %N").strip()
        slurm_cluster.administer(f"scontrol update NodeName={node} State=down Reason=test")
        try:
            wait_until(lambda: ended(project), 120, "the end of all jobs")
        finally:
            slurm_cluster.administer(f"scontrol update NodeName={node} State=resume || true")
    assert project.states()[held] == "COMPLETED"
    assert lines_of(trace) == ["1"]


def test_the_time_limit_of_an_allocation_interrupts_nobody_for_good(
    project: RemoteProject, slurm_cluster: SlurmCluster
) -> None:
    trace = trace_in(project)
    project.configure("cluster", resources={**RESOURCES, "time": "00:01:00"}, batch={"max_wait": 5})
    (long,) = project.submit(command(f"if [ -e {trace}.go ]; then echo 1 >>{trace}; else sleep 300; fi"))
    with project.runner():
        wait_until(lambda: project.states()[long] == "BATCH_RUNNING", 60, "the start")
        (trace.parent / "trace.go").touch()
        wait_until(lambda: project.states()[long] == "COMPLETED", 120, "the second run")
    (attempt,) = project.info(long).earlier_attempts
    assert attempt.outcome["reason"] == "interrupted"
    # Slurm tells the end in whole seconds.
    assert re.search(r"the time limit of its allocation \((59|60) s\) was near", json.dumps(attempt.outcome))
    first = batches(project)[-1]
    said = slurm_cluster.administer(f"sacct -X -n -P -j {first['process_id']} -o State")
    assert said.strip() == "COMPLETED"


def test_a_stopped_job_ends_inside_its_allocation(project: RemoteProject, slurm_cluster: SlurmCluster) -> None:
    stopped, other = project.submit(command("sleep 300"), command("sleep 6; echo done"))
    with project.runner():
        wait_until(lambda: set(project.states().values()) == {"BATCH_RUNNING"}, 60, "the start")
        project.tow("job", "stop", stopped)
        wait_until(lambda: not project.info(stopped).ending, 30, "the confirmation")
        wait_until(lambda: project.states()[other] == "COMPLETED", 60, "the end of the other")
    assert project.states()[stopped] == "USER_STOPPED"
    assert len(batches(project)) == 1


def test_killed_runners_lose_nothing_and_run_nothing_twice(project: RemoteProject, login: Server) -> None:
    trace = trace_in(project)
    ids = project.submit(*[command(f"echo {number} >>{trace}; sleep 0.3") for number in range(60)])
    for pause in (0.5, 0.9, 1.4, 2.5, 4.0):
        runner = project.start_runner()
        wait_for_time(pause)
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    with project.runner():
        # A submission whose end nobody saw is decided after a minute and a half.
        wait_until(lambda: ended(project), 240, "the end of all jobs")
    assert {project.states()[one] for one in ids} == {"COMPLETED"}
    assert sorted(map(int, lines_of(trace))) == list(range(60))
    assert len(batches(project)) == 1


def wait_for_time(seconds: float) -> None:
    """The moment of a kill is what is varied here, so it is a time and no condition."""
    time.sleep(seconds)
