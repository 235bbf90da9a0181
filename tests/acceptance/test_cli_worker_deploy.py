"""`tow worker deploy` as users type it: plans and refusals, on this machine with the worker of a cluster."""

import json
import sys
from pathlib import Path

import pytest

from towline.testing.command_line import tow


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("TOWLINE_HOME", str(home))
    (home / "lab.yaml").write_text(
        "name: lab\n"
        "workers:\n"
        "  here: {}\n"
        "  cluster:   # the one on the second floor\n"
        "    type: local\n"
        "    scheduler_type: slurm\n"
        f"    work_dir: {tmp_path / 'work'}\n"
        "  boxed:\n"
        "    type: local\n"
        "    scheduler_type: slurm\n"
        "    execution_cmd: apptainer exec app.sif python -m towline.on_worker.run_job {} --claimed\n"
        f"    work_dir: {tmp_path / 'work'}\n"
    )
    return home


def test_a_plan_names_python_place_and_versions_and_changes_nothing(home: Path, tmp_path: Path) -> None:
    before = (home / "lab.yaml").read_text()
    words = ("worker", "deploy", "cluster", "--folder", str(tmp_path / "environments"), "--dry-run", "--python")
    answer = tow(*words, sys.executable)
    assert "would be made" in answer.out
    planned = tow(*words, sys.executable, "--package", "click", "--json").json
    assert planned["packages"]["towline"]
    assert planned["packages"]["jobflow"]
    assert planned["place"].startswith(str(tmp_path / "environments"))
    assert (planned["python"], planned["from_index"], planned["was_there"]) == (None, None, False)
    assert (home / "lab.yaml").read_text() == before
    assert not (tmp_path / "environments").exists()


def test_workers_with_their_own_python_are_refused(home: Path) -> None:
    here, boxed = tow("worker", "deploy", "here"), tow("worker", "deploy", "boxed")
    assert (here.code, boxed.code) == (1, 1)
    assert "the worker here is on this machine" in here.err
    assert "install towline in that container" in boxed.err


def test_a_python_that_is_too_old_is_refused_with_what_to_do(home: Path, tmp_path: Path) -> None:
    old = tmp_path / "python 2"
    # The answers of another program: its version, and whether it is new enough.
    cases = '*exit*) exit 1;; *version_info*) echo 3.9.18;; *) echo "/old /usr";;'
    old.write_text(f'#!/bin/sh\ncase "$2" in {cases} esac\n')
    old.chmod(0o755)
    answer = tow("worker", "deploy", "cluster", "--python", str(old))
    assert answer.code == 1
    said = " ".join(answer.err.split())
    assert "which needs 3.11 or newer with the module venv" in said
    assert f"{old} is 3.9.18" in said
    assert "uv python install" in said
    missing = tow("worker", "deploy", "cluster", "--python", "3.99")
    assert "no Python was found" in " ".join(missing.err.split())


def test_what_is_not_here_cannot_go_there(home: Path) -> None:
    answer = tow("worker", "deploy", "cluster", "--python", sys.executable, "--package", "no_such_thing")
    assert "no_such_thing is no package and no module here" in " ".join(answer.err.split())


def test_shell_lines_that_do_not_work_are_told(home: Path, tmp_path: Path) -> None:
    document = {
        "name": "lab",
        "workers": {
            "cluster": {
                "type": "local",
                "scheduler_type": "slurm",
                "work_dir": str(tmp_path),
                "pre_run": "echo no such module >&2; exit 3",
            }
        },
    }
    (home / "lab.yaml").unlink()
    (home / "lab.json").write_text(json.dumps(document))
    answer = tow("worker", "deploy", "cluster")
    assert answer.code == 1
    assert "the shell lines before a job do not work: no such module" in " ".join(answer.err.split())
