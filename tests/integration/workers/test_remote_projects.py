"""Flows on hosts behind SSH, from the queue to the results."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from jobflow import Flow

from towline import command
from towline.testing.debian import JOB_USER
from towline.testing.jobs import add, end_process, fail
from towline.testing.remote_project import RemoteProject
from towline.testing.sshd import Server, SshSite
from towline.testing.waiting import wait_until
from towline.testing.worker_driver import is_alive

pytestmark = pytest.mark.ssh


@pytest.fixture
def server(sshd: SshSite) -> Server:
    return sshd.servers.get("host") or sshd.add("host")


@pytest.fixture
def project(
    sshd: SshSite, server: Server, job_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RemoteProject:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    work_dir = sshd.folder / tmp_path.name
    work_dir.mkdir()
    shutil.chown(work_dir, JOB_USER)
    worker: dict[str, Any] = {
        "type": "remote",
        "host": "host",
        "ssh_config": str(sshd.config),
        "work_dir": str(work_dir),
        "python": job_python,
        "max_jobs": 100,
    }
    return RemoteProject(tmp_path / "home", {"far": worker})


def sessions(server: Server) -> int:
    """How many commands were run over SSH."""
    return server.log.count("Starting session:")


def test_a_flow_runs_and_its_outputs_come_back(project: RemoteProject) -> None:
    first = add(1, 2)
    second = command(
        ["sh", "-c", "cat in.txt; id -un >who.txt; echo $WORD"],
        inputs={"in.txt": "text of the input\n"},
        outputs=["*.txt"],
        environment={"WORD": "$(touch injected)"},
    )
    third = add(first.output, 10)
    ids = project.submit(Flow([first, second, third]))
    project.run()
    assert set(project.states().values()) == {"COMPLETED"}
    outputs = project.outputs()
    assert outputs[ids[2]] == 13
    printed = outputs[ids[1]]
    assert project.info(ids[1]).job.remote.queue_state == "DONE"
    assert printed["stdout_tail"] == "text of the input\n$(touch injected)\n"
    assert set(printed["files"]) == {"in.txt", "who.txt"}
    assert Path(printed["files"]["who.txt"]["path"]).read_text() == f"{JOB_USER}\n"
    assert not list(Path(printed["run_dir"]).parent.parent.rglob("injected"))


def test_a_hundred_jobs_take_few_round_trips(project: RemoteProject, server: Server) -> None:
    project.submit(Flow([command(["sh", "-c", f"echo {number}"]) for number in range(100)]))
    before = sessions(server)
    project.run()
    assert list(project.states().values()) == ["COMPLETED"] * 100
    assert sessions(server) - before <= 12


def test_what_went_wrong_is_told(project: RemoteProject) -> None:
    printing = command("echo said; echo loud >&2; exit 3")
    raising, leaving, killed, refused, missing, printed = project.submit(
        fail("no convergence"),
        end_process(exit_code=3),
        end_process(signal_number=11),
        command(["false"]),
        command(["true"], outputs=["result.*"]),
        printing,
    )
    project.run()
    assert set(project.states().values()) == {"FAILED"}
    said = {db_id: project.info(db_id).job.failure for db_id in (raising, leaving, killed, refused, missing)}
    told = {db_id: (failure.reason, failure.message) for db_id, failure in said.items() if failure is not None}
    assert told[raising] == ("error", "ValueError: no convergence (in fail)")
    assert told[leaving][0] == "exit_code"
    assert "exit code 3" in told[leaving][1]
    assert told[killed][0] == "signal"
    assert "signal 11 (SIGSEGV)" in told[killed][1]
    assert told[refused] == ("exit_code", "the command ended with exit code 1")
    assert told[missing][0] == "output"
    assert "no file matches the declared output 'result.*'" in told[missing][1]
    remote = project.info(printed).job.remote
    assert (remote.queue_out, remote.queue_err, remote.queue_state) == ("said\n", "loud\n", "FAILED")
    assert project.info(raising).job.remote.queue_state == "DONE"


def test_a_limit_of_time_is_kept_and_the_policy_gives_more(project: RemoteProject) -> None:
    project.configure("far", retry={"timeout": {"times": 1, "multiply": {"time_limit": 60}}})
    (db_id,) = project.submit(command(["sleep", "1"]), resources={"time_limit": 0.3})
    project.run()
    report = project.info(db_id)
    assert report.job.state.value == "COMPLETED"
    assert [attempt.outcome["reason"] for attempt in report.earlier_attempts] == ["timeout"]


def test_names_are_never_executed(project: RemoteProject, server: Server) -> None:
    evil = "a b'c\"d$(touch injected)`touch injected`\nx;touch injected"
    job = command(
        ["printf", "%s", evil],
        inputs={"in put $(touch injected).txt": evil},
        outputs=["in put $(touch injected).txt"],
        environment={"EVIL": evil},
    )
    job.name = evil
    (db_id,) = project.submit(job)
    project.run()
    output = project.outputs()[db_id]
    assert output["stdout_tail"] == evil
    assert list(output["files"]) == ["in put $(touch injected).txt"]
    work_dir = Path(project.document["workers"]["far"]["work_dir"])
    assert not list(work_dir.rglob("injected"))


def test_a_worker_says_when_the_host_cannot_be_reached_and_goes_on(
    project: RemoteProject, sshd: SshSite, server: Server
) -> None:
    server.stop()
    server.cut()
    (db_id,) = project.submit(command(["true"]))
    runner = project.start_runner()
    try:
        wait_until(lambda: "refused" in project.tow("worker", "list"), 40, "the refusal")
        assert "unreachable" in project.tow("worker", "list")
        assert "1 job waits for the worker far" in project.tow("job", "list")
        assert "refused" in " ".join(project.tow("job", "info", db_id).split())
        assert project.states()[db_id] == "CHECKED_OUT"
        server.start()
        wait_until(lambda: project.states()[db_id] == "COMPLETED", 40, "the end")
    finally:
        runner.terminate()
        runner.wait(20)


def test_a_running_job_that_is_deleted_leaves_nothing(project: RemoteProject) -> None:
    (db_id,) = project.submit(command("sleep 300 & echo $! >pid; wait"))
    runner = project.start_runner()
    try:
        wait_until(lambda: project.states().get(db_id) == "RUNNING", 40, "the start")
        run_dir = Path(project.info(db_id).job.run_dir or "")
        pid = int(wait_until(lambda: (run_dir / "pid").exists() and (run_dir / "pid").read_text(), 20, "its process"))
        project.tow("flow", "delete", "--db-id", db_id, "--all", "--yes")
        wait_until(lambda: not run_dir.exists(), 40, "the end of the run folder")
        assert not is_alive(pid)
        assert project.states() == {}
    finally:
        runner.terminate()
        runner.wait(20)
