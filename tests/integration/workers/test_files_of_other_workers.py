"""A job uses the files that another job left on another worker."""

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobflow import Flow, job

from towline import command
from towline.jobflow.run_config import set_run_config
from towline.testing.debian import JOB_USER
from towline.testing.remote_project import RemoteProject
from towline.testing.sshd import SshSite
from towline.testing.waiting import wait_until
from towline.testing.worker_driver import end_pilots

pytestmark = pytest.mark.ssh

_HOSTILE = "a $(touch injected) 'file'"


@job
def read_text(path: str) -> str:
    """What stands in a file."""
    return Path(path).read_text()


@job
def names_and_sizes(output: dict[str, Any]) -> dict[str, int]:
    """Of the files of a command, how long they are where this runs."""
    return {name: Path(entry["path"]).stat().st_size for name, entry in output["files"].items()}


def host_with_a_disk(sshd: SshSite, name: str) -> Path:
    """A server whose folder `disk-NAME` nobody else sees; return where its files really are."""
    real, seen = sshd.folder / f"real-{name}", sshd.folder / f"disk-{name}"
    if name in sshd.servers:
        return real
    for folder in (real, seen):
        folder.mkdir()
        shutil.chown(folder, JOB_USER)
    server = sshd.add(name)
    server.stop()
    words = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', str(real), str(seen)]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here (unshare --mount needs to be root)")
    program = sshd.folder / f"sshd-{name}"
    program.write_text(f'#!/bin/sh\nexec {shlex.join([*words, server.program])} "$@"\n')
    program.chmod(0o755)
    server.program = str(program)
    server.start()
    return real


@pytest.fixture
def project(sshd: SshSite, job_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteProject]:
    """Two hosts behind SSH and this machine, none of which sees the files of another one."""
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    workers: dict[str, Any] = {"here": {"work_dir": str(tmp_path / "here")}}
    for name in ("host", "other"):
        host_with_a_disk(sshd, name)
        workers[name] = {
            **{"type": "remote", "host": name, "ssh_config": str(sshd.config), "python": job_python},
            "work_dir": str(sshd.folder / f"disk-{name}" / tmp_path.name),
        }
    yield RemoteProject(tmp_path / "home", workers)
    end_pilots(tmp_path)


def really(path: object) -> Path:
    """Where this machine sees what a host sees at a path."""
    return Path(str(path).replace("/disk-", "/real-"))


def on(worker: str, one: Any) -> Any:
    """A job, on a worker."""
    return set_run_config(one, worker=worker)


def staged(project: RemoteProject, worker: str) -> list[Path]:
    """What was brought to a worker."""
    folder = really(project.document["workers"][worker]["work_dir"]) / ".towline_inputs"
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("source", "target"), [("host", "other"), ("host", "here"), ("here", "other")])
def test_a_file_is_brought_to_the_job_that_uses_it(project: RemoteProject, source: str, target: str) -> None:
    first = on(source, command(["sh", "-c", 'echo text >"$1"; echo more >unused', "sh", _HOSTILE], outputs=["*"]))
    entry = first.output["files"][_HOSTILE]
    second = on(target, command(["cat", "in.txt"], inputs={"in.txt": entry}))
    third = on(target, read_text(entry["path"]))
    fourth = on(target, command(["cat", entry["path"]]))
    ids = project.submit(Flow([first, second, third, fourth]))
    project.run()
    assert set(project.states().values()) == {"COMPLETED"}
    outputs = project.outputs()
    assert outputs[ids[1]]["stdout_tail"] == "text\n"
    assert outputs[ids[2]] == "text\n"
    assert outputs[ids[3]]["stdout_tail"] == "text\n"
    # Once for all three, and nothing that nobody refers to.
    assert [path.read_text() for path in staged(project, target)] == ["text\n"]
    assert outputs[ids[0]]["files"][_HOSTILE]["path"].startswith(project.document["workers"][source]["work_dir"])
    assert not list((project.home / "default" / "tmp").rglob("*.towline-part"))
    assert not list(really(outputs[ids[0]]["run_dir"]).parent.parent.rglob("injected"))


def test_who_refers_to_a_whole_output_has_all_of_its_files(project: RemoteProject) -> None:
    first = on("host", command("echo 1 >a; echo 22 >b", outputs=["a", "b"]))
    second = on("other", names_and_sizes(first.output))
    (_, db_id) = project.submit(Flow([first, second]))
    project.run()
    assert project.outputs()[db_id] == {"a": 2, "b": 3}
    assert len(staged(project, "other")) == 2


def test_a_large_file_arrives_as_it_was(project: RemoteProject) -> None:
    first = on("host", command(["sh", "-c", "head -c 30000000 /dev/urandom >large"], outputs=["large"]))
    second = on("other", command(["sha256sum", "large"], inputs={"large": first.output["files"]["large"]}))
    (one, two) = project.submit(Flow([first, second]))
    project.run(120)
    outputs = project.outputs()
    assert outputs[two]["stdout_tail"].split()[0] == outputs[one]["files"]["large"]["sha256"]
    assert not [path for path in (project.home / "default" / "tmp").rglob("*") if path.is_file()]


def test_workers_that_share_their_files_bring_nothing(project: RemoteProject, sshd: SshSite, tmp_path: Path) -> None:
    shared = sshd.folder / tmp_path.name
    shared.mkdir()
    shutil.chown(shared, JOB_USER)
    project.configure("host", work_dir=str(shared))
    first = on("host", command(["sh", "-c", "echo text >a"], outputs=["a"]))
    second = on("other", command(["cat", "in"], inputs={"in": first.output["files"]["a"]}))
    (_, db_id) = project.submit(Flow([first, second]))
    project.run()
    assert project.outputs()[db_id]["stdout_tail"] == "text\n"
    assert staged(project, "other") == []


def test_a_file_that_was_changed_is_not_taken_for_what_the_job_left(project: RemoteProject) -> None:
    first = on("host", command(["sh", "-c", "echo text >a"], outputs=["a"]))
    second = on("other", command(["cat", "in"], inputs={"in": first.output["files"]["a"]}))
    (one, two) = project.submit(Flow([first, second]))
    project.tow("job", "pause", "-did", two)
    project.run()
    project.tow("job", "resume", "-did", two)
    path = really(project.outputs()[one]["files"]["a"]["path"])
    path.write_text("other\n")
    project.run()
    assert project.states()[two] == "REMOTE_ERROR"
    failure = project.info(two).job.remote.error
    assert failure is not None
    assert f"{path.name} on the worker host is not what its job left there" in failure
    path.write_text("text\n")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == project.outputs()[one]["files"]["a"]["sha256"]
    project.tow("job", "retry", "-did", two)
    project.run()
    assert project.states()[two] == "COMPLETED"


def test_a_host_that_is_away_keeps_its_jobs_waiting_and_no_others(project: RemoteProject, sshd: SshSite) -> None:
    first = on("host", command(["sh", "-c", "echo text >a"], outputs=["a"]))
    second = on("other", command(["cat", "in"], inputs={"in": first.output["files"]["a"]}))
    (one, two) = project.submit(Flow([first, second]))
    project.tow("job", "pause", "-did", two)
    project.run()
    assert project.states()[one] == "COMPLETED"
    sshd.servers["host"].crash()
    project.tow("job", "resume", "-did", two)
    (third,) = project.submit(on("other", command(["true"])))
    with project.runner():
        wait_until(lambda: project.states()[third] == "COMPLETED", 60)
        wait_until(lambda: "brings 1 file" in " ".join(project.tow("job", "info", two).split()), 60)
        assert project.states()[two] == "CHECKED_OUT"
        sshd.servers["host"].start()
        wait_until(lambda: project.states()[two] == "COMPLETED", 90)
    assert project.outputs()[two]["stdout_tail"] == "text\n"


def test_a_killed_runner_brings_it_again(project: RemoteProject) -> None:
    first = on("host", command(["sh", "-c", "head -c 60000000 /dev/zero >large; echo ran >>ran"], outputs=["large"]))
    run_once = ["sh", "-c", "echo ran >>ran; wc -c <large"]
    second = on("other", command(run_once, inputs={"large": first.output["files"]["large"]}))
    (_, two) = project.submit(Flow([first, second]))
    runner = project.start_runner()
    wait_until(lambda: project.states()[two] == "CHECKED_OUT", 60)
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait(20)
    project.run(120)
    assert project.states()[two] == "COMPLETED"
    output = project.outputs()[two]
    assert output["stdout_tail"].strip() == "60000000"
    assert (really(output["run_dir"]) / "ran").read_text() == "ran\n"


def test_many_jobs_ask_together_what_is_there(project: RemoteProject, sshd: SshSite) -> None:
    first = on("host", command(["sh", "-c", "echo text >a"], outputs=["a"]))
    others = [on("other", command(["cat", "in"], inputs={"in": first.output["files"]["a"]})) for _ in range(30)]
    project.submit(Flow([first, *others]))
    before = sshd.servers["other"].log.count("Starting session:")
    project.run(120)
    assert set(project.states().values()) == {"COMPLETED"}
    assert sshd.servers["other"].log.count("Starting session:") - before <= 24
    assert len(staged(project, "other")) == 1
