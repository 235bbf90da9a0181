"""A worker without towline gets it, over a real connection, and jobs that waited for it go on."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ase.symbols import string2symbols
from jobflow import Job

import towline
from towline import command
from towline.testing.debian import JOB_USER
from towline.testing.jobs import add, wait_for_file
from towline.testing.remote_project import RemoteProject
from towline.testing.sshd import SshSite
from towline.testing.waiting import wait_until

pytestmark = pytest.mark.ssh

#: What no path should have, and some have.
HOSTILE = 'it\'s a "folder" $(touch injected)'


@pytest.fixture(scope="module")
def place(sshd: SshSite) -> Path:
    """A folder of the account on the worker."""
    sshd.add("host")
    folder = sshd.folder / "account"
    folder.mkdir()
    shutil.chown(folder, JOB_USER)
    return folder


@pytest.fixture(scope="module")
def deployed(place: Path) -> dict[str, Any]:
    """What the one deployment of this file made; filled by the first test."""
    return {}


@pytest.fixture
def project(sshd: SshSite, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RemoteProject:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    worker = {
        "type": "remote",
        "host": "host",
        "ssh_config": str(sshd.config),
        "work_dir": str(place / "work"),
        "timeout_execute": 120,
    }
    return RemoteProject(tmp_path / "home", {"far": worker})


@pytest.fixture
def runner(project: RemoteProject) -> Iterator[None]:
    process = project.start_runner()
    yield
    process.terminate()
    process.wait(20)


def state_of_worker(project: RemoteProject) -> tuple[str, str | None]:
    (found,) = json.loads(project.tow("worker", "list", "--json"))
    return found["state"], found["problem"]


def test_jobs_wait_for_a_worker_without_towline_and_go_on_when_it_is_deployed(
    project: RemoteProject, place: Path, deployed: dict[str, Any], runner: None
) -> None:
    python_job, plain = project.submit(add(1, 2), command(["true"]))
    wait_until(lambda: project.states()[plain] == "COMPLETED", 60, "the command, which needs no Python")
    wait_until(lambda: state_of_worker(project)[0] == "other versions", 60, "the state of the worker")
    problem = state_of_worker(project)[1] or ""
    assert "far has no towline that works in /usr/bin/python3" in problem
    assert problem.endswith("type: tow worker deploy far")
    assert project.states()[python_job] in ("CHECKED_OUT", "UPLOADED")
    assert "packages that fit: far has no towline" in " ".join(project.tow("job", "info", python_job).split())
    checked = project.tow("worker", "check", "far", expected=(1,))
    assert "tow worker deploy far" in checked

    folder = place / HOSTILE / "environments"
    said = project.tow("worker", "deploy", "far", "--offline", "--folder", str(folder), "--json")
    deployed.update(json.loads(said[said.index("{") :]))
    assert deployed["was_there"] is False
    assert deployed["packages"]["towline"] == towline.__version__
    assert deployed["python"].startswith(str(folder))

    wait_until(lambda: project.states()[python_job] == "COMPLETED", 90, "the job that waited")
    assert project.outputs()[python_job] == 3
    environment = project.info(python_job).job.environment
    assert environment is not None
    assert environment["executable"] == deployed["python"]
    assert not list(place.rglob("injected"))
    # The row of the runner follows with its next sign of life.
    wait_until(lambda: state_of_worker(project) == ("connected", None), 30, "the state of the worker")


def test_a_missing_module_is_named_with_the_command_that_brings_it(
    project: RemoteProject, deployed: dict[str, Any], runner: None
) -> None:
    project.configure("far", python=deployed["python"])
    (failed,) = project.submit(Job(function=string2symbols, function_args=("H2O",)))
    wait_until(lambda: project.states()[failed] == "FAILED", 60, "the failure")
    said = " ".join(project.tow("job", "info", failed).split())
    assert "needs module ase.symbols" in said
    assert f"tow worker deploy far --package ase; then tow job rerun {failed}" in said


def test_the_same_is_not_deployed_twice(project: RemoteProject, place: Path, deployed: dict[str, Any]) -> None:
    project.configure("far", python=deployed["python"])
    folder = place / HOSTILE / "environments"
    words = ("worker", "deploy", "far", "--offline", "--folder", str(folder))
    planned = project.tow(*words, "--dry-run", "--json")
    assert json.loads(planned[planned.index("{") :])["place"] == deployed["place"]
    assert "is there already" in project.tow(*words)
    assert project.tow("worker", "check", "far").count("ok ") >= 5


def test_another_release_of_towline_there_keeps_jobs_waiting(
    project: RemoteProject, place: Path, tmp_path: Path, deployed: dict[str, Any], runner: None
) -> None:
    shadow = place / "shadow"
    source = Path(towline.__file__).parent
    shutil.copytree(source, shadow / "towline", ignore=shutil.ignore_patterns("__pycache__", "simulations", "testing"))
    root = shadow / "towline" / "__init__.py"
    root.write_text(root.read_text().replace(f'"{towline.__version__}"', '"77.1.0"'))
    project.configure("far", python=deployed["python"], pre_run=f"export PYTHONPATH={shadow}")
    (waiting,) = project.submit(add(3, 4))
    wait_until(lambda: state_of_worker(project)[0] == "other versions", 60, "the state of the worker")
    problem = state_of_worker(project)[1] or ""
    assert f"far has towline 77.1.0 in {deployed['python']}, and this machine {towline.__version__}" in problem
    assert project.states()[waiting] in ("CHECKED_OUT", "UPLOADED")
    project.configure("far", pre_run=None)
    wait_until(lambda: project.states()[waiting] == "COMPLETED", 60, "the job")


def test_what_earlier_deployments_left_goes_when_nothing_uses_it(
    project: RemoteProject, place: Path, deployed: dict[str, Any]
) -> None:
    folder = place / HOSTILE / "environments"
    gate = place / "gate"
    gate.unlink(missing_ok=True)
    words = ("worker", "deploy", "far", "--offline", "--folder", str(folder))
    project.configure("far", python=deployed["python"])
    marks = Path(deployed["place"]) / ".towline-used-by"
    shutil.rmtree(marks)  # the other tests here are other projects
    made = project.tow(*words, "--json")
    first = Path(json.loads(made[made.index("{") :])["place"])
    (busy,) = project.submit(wait_for_file(str(gate)))
    runner = project.start_runner()
    try:
        wait_until(lambda: project.states()[busy] == "RUNNING", 60, "the start of a job in the first environment")
        said = project.tow(*words, "--package", "ase", "--delete-old")
        assert f"{first.name} stays: jobs that have not ended, or a running allocation, use it" in said
        assert (first / "bin" / "python").exists()
        gate.touch()
        wait_until(lambda: project.states()[busy] == "COMPLETED", 60, "the end of that job")
    finally:
        runner.terminate()
        runner.wait(20)
    stranger = first.with_name("python3.11-000000000000")
    stranger.mkdir()
    (stranger / "towline-environment.json").touch()
    said = " ".join(project.tow(*words, "--package", "ase").split())
    assert first.name in said.partition("Nothing uses ")[2]
    (marks / "0123456789abcdef").touch()
    said = project.tow(*words, "--package", "ase", "--delete-old", "--dry-run")
    assert f"{first.name} stays: another project deployed it too" in said
    (marks / "0123456789abcdef").unlink()
    said = project.tow(*words, "--package", "ase", "--delete-old", "--dry-run")
    assert first.name in said.partition("would be deleted, because nothing uses it any more: ")[2]
    assert first.exists()
    said = project.tow(*words, "--package", "ase", "--delete-old")
    assert first.name in said.partition("deleted, because nothing uses it any more: ")[2]
    assert not first.exists()
    assert stranger.exists()
    document = json.loads((project.home / "default.json").read_text())
    assert Path(document["workers"]["far"]["python"]).exists()
    (after,) = project.submit(add(2, 2))
    project.run()
    assert project.outputs()[after] == 4
    assert not list(place.rglob("injected"))
