"""A run that is interrupted goes on from its checkpoint in the queue, and ends with the numbers of one that was not."""

import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from towline.core.states import JobState
from towline.operations import runners
from towline.operations.borrowed_runner import active_runner
from towline.operations.compose import open_project
from towline.operations.jobs import JobFilter, job_info, list_jobs
from towline.operations.simulation_planning import plan
from towline.operations.simulation_records import Outcome, export_run, outcome
from towline.operations.simulations import Submitted, simulate, submit_simulation, wait_for
from towline.simulations.config_env import ConfigEnv
from towline.simulations.moose.launching import embedded_command
from towline.simulations.run_directory import exit_code_of, starts_of
from towline.testing.waiting import wait_until

pytestmark = pytest.mark.slow

#: Some seconds of work, in many steps; saved whenever a hundredth of the time allows it.
CASE: dict[str, Any] = {"c0": 0.5, "xmax": 50, "nx": 128, "num_steps": 80, "growth_steps": 16, "use_checkpoint": True}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConfigEnv]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    yield ConfigEnv({"RUNS_DIR": str(tmp_path / "runs")})
    if runners.status().active:
        runners.stop()


def submit(config: ConfigEnv, attempts: int = 3) -> Submitted:
    return submit_simulation(plan("spinodal", CASE), config=config, force=True, attempts=attempts)


def processes_of(folder: Path, name: str) -> list[psutil.Process]:
    """Processes of a run: the solver works in its folder, the script is named on the command line."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = " ".join(one.cmdline())
            if name in words and (one.cwd() == str(folder) or str(folder) in words):
                found.append(one)
    return found


def kill_once_saved(folder: Path, name: str) -> str:
    """Kill a process of a run when it has a checkpoint of its own; returns which."""

    def saved() -> list[str]:
        return sorted(path.name for path in folder.glob("*_cp/*.npz"))

    before = saved()
    wait_until(lambda: bool(saved()) and saved() != before and bool(processes_of(folder, name)), 60, "a checkpoint")
    (one,) = processes_of(folder, name)
    one.kill()
    one.wait(10)
    return saved()[-1]


def assert_same(interrupted: Outcome, whole: Outcome) -> None:
    assert interrupted.status == whole.status == "done", interrupted.record
    for name in ("spinodal.csv",):
        assert (interrupted.folder / name).read_text() == (whole.folder / name).read_text()
    assert interrupted.verdict == whole.verdict
    assert {name: one["value"] for name, one in interrupted.metrics.items()} == {
        name: one["value"] for name, one in whole.metrics.items()
    }
    for key in ("accepted_steps", "rejected_steps"):
        assert interrupted.record[key] == whole.record[key]


@pytest.mark.parametrize(("what", "reason"), [("phasefield", "exit_code"), ("run.sh", "signal")])
def test_a_run_whose_process_is_killed_goes_on(config: ConfigEnv, tmp_path: Path, what: str, reason: str) -> None:
    submitted = submit(config)
    with active_runner():
        kill_once_saved(submitted.folder, what)
        assert wait_for(submitted, 120)
    found = outcome(submitted.folder)
    assert len(found.attempts) == 1
    (continued,) = found.record["continued"]
    assert continued["after"] == reason
    assert continued["from"].startswith("spinodal_cp/0")
    assert starts_of(found.folder) == ["the beginning", continued["from"]]
    with open_project() as opened:
        (run,) = [one.id for one in list_jobs(opened, JobFilter()) if one.name.startswith("run")]
        report = job_info(opened, run)
    assert [one.outcome["reason"] for one in report.earlier_attempts] == [reason]
    assert continued["run_dir"] == report.earlier_attempts[0].run_dir
    (told,) = found.continuations
    assert told == f"continued from step {int(continued['from'][-4:])} after a kill"
    crate = json.loads((export_run(found.folder, tmp_path / "crate") / "ro-crate-metadata.json").read_text())
    (action,) = [one for one in crate["@graph"] if one["@type"] == "CreateAction"]
    assert told in action["description"]
    assert_same(found, simulate("spinodal", CASE, config=config, force=True, timeout_seconds=120))


#: Plays MOOSE: saves a step and sleeps, unless it has been interrupted twice.
SLEEPER = """#!/bin/sh
mkdir -p spinodal_cp/000$(wc -l <starts.txt | tr -d ' ')-mesh.cpa.gz
if [ "$(wc -l <starts.txt)" -lt 3 ]; then sleep 300; fi
exec $SOLVER -i spinodal.i Executioner/num_steps=2
"""


def sleeper(folder: Path, config: ConfigEnv) -> ConfigEnv:
    """The configuration with that program, and a time limit that is long enough for a shell only."""
    path = folder / "sleeper"
    path.write_text(SLEEPER.replace("$SOLVER", embedded_command()[0]))
    path.chmod(0o755)
    return ConfigEnv({**config.values, "MOOSE_EXEC": str(path), "ORCH_TIMEOUT_S": "6"})


def test_a_time_limit_is_gone_beyond_as_often_as_there_are_attempts(config: ConfigEnv, tmp_path: Path) -> None:
    limited = sleeper(tmp_path, config)
    submitted = submit(limited)
    with active_runner():
        wait_for(submitted, 180)
    found = outcome(submitted.folder)
    assert [(one["after"], one["from"]) for one in found.record["continued"]] == [
        ("timeout", "spinodal_cp/0001"),
        ("timeout", "spinodal_cp/0002"),
    ]
    twice = submit(limited, attempts=2)
    with active_runner():
        wait_for(twice, 60)
    found = outcome(twice.folder)
    assert found.record["review"]["failure"] == "WALLTIME"
    # It was made twice, and is not begun anew.
    assert len(found.attempts) == 1
    assert len(found.record["continued"]) == 1


def test_a_run_that_may_be_made_once_is_not_continued(config: ConfigEnv) -> None:
    submitted = submit(config, attempts=1)
    with active_runner():
        kill_once_saved(submitted.folder, "phasefield")
        wait_for(submitted, 60)
    found = outcome(submitted.folder)
    assert found.status == "failed"
    assert found.record["review"]["failure"] == "INTERRUPTED"
    assert exit_code_of(found.folder) == 137
    with open_project() as opened:
        (run,) = [one for one in list_jobs(opened, JobFilter()) if one.name.startswith("run")]
        assert run.state is JobState.FAILED
    assert json.loads((found.folder / "record.json").read_text())["continued"] == []


def test_a_runner_is_started_once_and_stopped_by_the_last_who_needs_it(config: ConfigEnv) -> None:
    left, entered = threading.Event(), threading.Barrier(3)

    def other() -> None:
        with active_runner():
            entered.wait(60)
            left.wait(60)

    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(other) for _ in range(2)]
        with active_runner():
            entered.wait(60)
            started = runners.status().runner_id
        # Whoever started it, the others still need it.
        assert runners.status().active
        assert runners.status().runner_id == started
        left.set()
        for one in others:
            one.result(60)
    assert not runners.status().active


def test_a_runner_that_was_there_before_stays(config: ConfigEnv) -> None:
    started = runners.start().runner_id
    with active_runner():
        pass
    assert runners.status().runner_id == started
    assert runners.status().active


def test_a_runner_stays_after_a_key_has_interrupted_the_wait(config: ConfigEnv) -> None:
    with pytest.raises(KeyboardInterrupt), active_runner():
        raise KeyboardInterrupt
    with active_runner():
        pass
    assert runners.status().active
