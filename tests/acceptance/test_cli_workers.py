"""`tow worker` as users type it, on a machine without any other host."""

import json
from pathlib import Path

import pytest

from towline import command, submit_flow
from towline.testing.command_line import tow


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def configure(home: Path, **workers: object) -> None:
    home.mkdir(exist_ok=True)
    (home / "lab.json").write_text(json.dumps({"name": "lab", "workers": workers}))


def test_workers_are_listed_with_their_jobs_before_any_runner_came(home: Path) -> None:
    far = {"type": "remote", "scheduler_type": "slurm", "host": "perlmutter", "work_dir": "/scratch/towline"}
    configure(home, far=far, here={}, closed={"max_jobs": 0, "work_dir": str(home / "other")})
    submit_flow(command(["true"]))
    listed = {item["name"]: item for item in tow("worker", "list", "--json").json}
    assert (listed["far"]["host"], listed["far"]["scheduler_type"], listed["far"]["max_jobs"]) == (
        "perlmutter",
        "slurm",
        1000,
    )
    assert listed["far"]["jobs"] == {"READY": 1}
    assert {name: item["state"] for name, item in listed.items()} == {
        "far": "no runner",
        "here": "no runner",
        "closed": "takes no jobs",
    }
    shown = tow("worker", "list").out
    assert "this machine" in shown
    assert "1 READY" in shown


def test_nobody_logs_in_to_this_machine(home: Path) -> None:
    configure(home, here={})
    answer = tow("worker", "login", "here")
    assert answer.code == 1
    assert "the worker here is on this machine" in answer.err
    assert "it has here" in tow("worker", "check", "there").err


def test_a_host_that_is_not_there_is_told_in_a_line_with_the_remedy(home: Path) -> None:
    config = home.parent / "ssh_config"
    config.write_text("Host far\n  HostName 127.0.0.1\n  Port 1\n  ConnectTimeout 5\n")
    configure(home, far={"type": "remote", "host": "far", "work_dir": "/scratch/x", "ssh_config": str(config)})
    answer = tow("worker", "check", "far")
    assert answer.code == 1
    assert answer.out.startswith("failed  worker far: connection: ")
    assert answer.out.count("\n") == 1
    (found,) = tow("worker", "check", "far", "--json").json
    assert found["outcome"] == "failed"
