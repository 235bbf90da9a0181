"""A simulation through the real queue: run, judged, repeated where a remedy helps, drawn, recorded."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from towline import simulate
from towline.core.states import JobState
from towline.errors import ConfigurationError, InvalidRequest
from towline.operations import runners
from towline.operations.borrowed_runner import active_runner
from towline.operations.compose import open_project
from towline.operations.jobs import JobFilter, list_jobs, rerun_jobs, stop_jobs
from towline.operations.simulation_planning import plan, sweep_cases
from towline.operations.simulation_records import Outcome, export_run, find_run, list_runs, outcome, verify_run
from towline.operations.simulation_sweeps import judge_again, resume_sweep, submit_sweep, sweep_outcome
from towline.operations.simulations import settle, submit_simulation, wait_for
from towline.simulations.config_env import ConfigEnv
from towline.testing.waiting import wait_until

#: Of a second or two.
SMALL: dict[str, Any] = {"c0": 0.5, "xmax": 20, "nx": 32, "end_time": 30, "growth_steps": 16}
SOLVER = Path(sys.executable).with_name("towline-phasefield")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConfigEnv]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MOOSE_EXEC", raising=False)
    yield ConfigEnv({"RUNS_DIR": str(tmp_path / "my runs")})
    if runners.status().active:
        runners.stop()


def program(folder: Path, text: str) -> str:
    """An executable that plays MOOSE."""
    path = folder / "phase_field-opt"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def record_of(found: Outcome) -> dict[str, Any]:
    return dict(found.record)


def test_a_simulation_leaves_everything_and_a_verdict(config: ConfigEnv, tmp_path: Path) -> None:
    found = simulate("spinodal", SMALL, config=config, backend_name="a label", force=True, attempts=1)
    assert found.status == "done"
    assert found.verdict in ("CREDIBLE", "FALSIFIED", "INCONCLUSIVE")
    folder = found.attempts[0]
    assert folder.parent == tmp_path / "my runs"
    for name in ("spinodal.i", "run.sh", "run.log", "spinodal.csv", "spinodal.e", "report.html", "metadata.json"):
        assert (folder / name).stat().st_size > 0, name
    assert found.figures
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["backend_name"] == "a label"
    assert metadata["seeds"] == {"rand_seed": 210}
    assert metadata["stated"] == {name: float(value) if name == "end_time" else value for name, value in SMALL.items()}
    assert metadata["solver"]["name"] == "embedded solver of towline (not MOOSE)"
    assert len(metadata["solver"]["sha256"]) == 64
    assert {"towline", "numpy"} <= set(metadata["packages"])
    record = json.loads((folder / "record.json").read_text())
    assert record["exit_code"] == 0
    assert record["duration_s"] > 0
    assert record["job"]["worker"] == "local"
    assert "embedded" in record["solver_header"]["Solver"]
    assert {"spinodal.i", "spinodal.csv", "metadata.json", "report.html"} <= set(record["hashes"])
    events = [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events[:3] == ["created", "submitted", "judged"]
    assert events[-1] == "drawn"
    assert not runners.status().active


def test_a_changed_file_is_noticed_and_a_run_can_be_judged_again(config: ConfigEnv, tmp_path: Path) -> None:
    found = simulate("spinodal", SMALL, config=config, force=True, attempts=1)
    folder = found.folder
    assert verify_run(folder).changed == ()
    table = folder / "spinodal.csv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join([*rows[:10], rows[10].replace(rows[10].split(",")[0], "nan", 1), *rows[11:]]) + "\n")
    (folder / "spinodal.e").unlink()
    assert verify_run(folder).changed == ("spinodal.csv",)
    assert verify_run(folder).missing == ("spinodal.e",)
    again = judge_again(folder)
    assert again.verdict == "FALSIFIED"
    assert "N2" in again.record["verdict"]["falsified_by"]
    table.write_text("")
    again = judge_again(folder)
    assert again.verdict != "CREDIBLE"
    assert "spinodal.csv" in str(again.record["problem"])


def test_a_run_becomes_a_crate(config: ConfigEnv, tmp_path: Path) -> None:
    found = simulate("spinodal", SMALL, config=config, force=True, attempts=1)
    crate = export_run(found.folder, tmp_path / "crate")
    document = json.loads((crate / "ro-crate-metadata.json").read_text())
    entities = {one["@id"]: one for one in document["@graph"]}
    assert entities["./"]["mainEntity"] == {"@id": "spinodal.i"}
    assert {"@id": "https://w3id.org/ro/wfrun/workflow/0.5"} in entities["./"]["conformsTo"]
    (action,) = [one for one in entities.values() if one["@type"] == "CreateAction"]
    assert action["instrument"] == {"@id": "spinodal.i"}
    assert action["actionStatus"] == "http://schema.org/CompletedActionStatus"
    results = {one["@id"] for one in action["result"]}
    assert {"spinodal.csv", "spinodal.e", "report.html", "record.json"} <= results
    assert all((crate / name).is_file() for name in results)
    assert entities["#value-c0"]["value"] == "0.5"
    assert export_run(found.folder, tmp_path / "crate.zip").is_file()
    with pytest.raises(InvalidRequest, match="exists"):
        export_run(found.folder, crate)


def test_a_failed_run_is_repeated_with_a_correction_and_both_attempts_are_kept(
    config: ConfigEnv, tmp_path: Path
) -> None:
    marker = tmp_path / "tried"
    scripted = program(
        tmp_path,
        f"""if [ -e {marker} ]; then exec {SOLVER} "$@"; fi
touch {marker}
echo 'Time Step 1, time = 0.1, dt = 0.1'
echo ' 0 Nonlinear |R| = 1.0e+00'
echo 'Nonlinear solve did not converge due to DIVERGED_LINE_SEARCH iterations 1'
echo ' Solve Did NOT Converge!'
echo 'Aborting as solve did not converge'
echo '*** ERROR ***'
echo 'Solve failed and timestep already at dtmin, cannot continue!'
exit 1""",
    )
    config = ConfigEnv({**config.values, "MOOSE_EXEC": scripted})
    found = simulate("spinodal", SMALL, config=config, force=True, attempts=2)
    first, second = found.attempts[:2]
    told = json.loads((first / "record.json").read_text())
    assert told["status"] == "failed"
    assert told["exit_code"] == 1
    assert told["next_attempt"] == second.name
    metadata = json.loads((second / "metadata.json").read_text())
    assert (metadata["attempt"], metadata["parent"]) == (2, first.name)
    changes = metadata["correction"]["changes"]
    assert changes
    assert {one["origin"] for one in changes.values()} == {"corrected"}
    before = json.loads((first / "metadata.json").read_text())["params"]
    different = {name for name, value in metadata["params"].items() if before.get(name) != value}
    assert different == set(changes)
    assert found.status == "done"


def test_what_no_remedy_helps_ends_with_its_cause(config: ConfigEnv, tmp_path: Path) -> None:
    scripted = program(tmp_path, "echo '*** ERROR ***'; echo \"a.i:3.1: unused parameter 'Kernels/x/y'\"; exit 1")
    config = ConfigEnv({**config.values, "MOOSE_EXEC": scripted})
    found = simulate("spinodal", SMALL, config=config, force=True, attempts=3)
    assert len(found.attempts) == 1
    assert found.status == "failed"
    assert found.verdict == "INCONCLUSIVE"
    assert found.record["review"]["failure"] == "INPUT_ERROR"


def test_a_wrong_executable_is_refused_before_anything_is_made(config: ConfigEnv, tmp_path: Path) -> None:
    config = ConfigEnv({**config.values, "MOOSE_EXEC": "/nowhere/phase_field-opt"})
    with pytest.raises(ConfigurationError, match="MOOSE_EXEC is '/nowhere/phase_field-opt'"):
        simulate("spinodal", SMALL, config=config, force=True, attempts=1)
    assert list_runs(tmp_path / "my runs") == []


def test_errors_of_the_preflight_are_refused_unless_somebody_insists(config: ConfigEnv, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="--force"):
        simulate("spinodal", {**SMALL, "end_time": 3}, config=config)
    assert list_runs(tmp_path / "my runs") == []


def test_a_run_directory_that_vanishes_is_told(config: ConfigEnv, tmp_path: Path) -> None:
    submitted = submit_simulation(plan("spinodal", SMALL), config=config, force=True, attempts=1)
    submitted.folder.rename(tmp_path / "elsewhere")
    with active_runner():
        assert not wait_for(submitted, 60)
    with open_project() as opened:
        (failed,) = [one for one in list_jobs(opened, JobFilter()) if one.state is JobState.FAILED]
        assert failed.name == "judge_attempt"
    # It comes back, and the jobs are run again: nothing is lost.
    (tmp_path / "elsewhere").rename(submitted.folder)
    with open_project() as opened:
        rows = [one.id for one in list_jobs(opened, JobFilter()) if one.name.startswith("run")]
        rerun_jobs(opened, rows, force=True)
    with active_runner():
        assert wait_for(submitted, 60)
    assert outcome(submitted.folder).status == "done"


def test_a_stopped_simulation_says_so(config: ConfigEnv, tmp_path: Path) -> None:
    scripted = program(tmp_path, "sleep 300")
    config = ConfigEnv({**config.values, "MOOSE_EXEC": scripted})
    submitted = submit_simulation(plan("spinodal", SMALL), config=config, force=True, attempts=1)
    with active_runner(), open_project() as opened:
        jobs = list_jobs(opened, JobFilter())
        wait_until(lambda: any(one.state is JobState.RUNNING for one in list_jobs(opened, JobFilter())), 30)
        stop_jobs(opened, [one.id for one in jobs])
        wait_for(submitted, 30)
    settle(submitted.folder, submitted.project)
    assert outcome(submitted.folder).status == "stopped"


def test_a_time_limit_ends_a_run_and_is_told(config: ConfigEnv, tmp_path: Path) -> None:
    scripted = program(tmp_path, "echo begun; exec sleep 300")
    config = ConfigEnv({**config.values, "MOOSE_EXEC": scripted, "ORCH_TIMEOUT_S": "1"})
    submitted = submit_simulation(plan("spinodal", SMALL), config=config, force=True, attempts=1)
    with active_runner():
        wait_for(submitted, 60)
    found = outcome(submitted.folder)
    assert found.status == "failed"
    assert found.record["review"]["failure"] == "WALLTIME"
    assert found.record["reason"] == "timeout"


def test_a_sweep_runs_side_by_side_resumes_and_is_judged_together(config: ConfigEnv, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    # One member fails as long as the file is there.
    scripted = program(
        tmp_path, f'if [ -e {broken} ] && grep -q "seed = 211" spinodal.i; then exit 1; fi; exec {SOLVER} "$@"'
    )
    config = ConfigEnv({**config.values, "MOOSE_EXEC": scripted})
    members = sweep_cases("spinodal", SMALL, {"c0": [0.45, 0.5]}, seeds=2)
    submitted = submit_sweep(members, config=config, force=True, attempts=1)
    with active_runner():
        assert wait_for(submitted, 120)
    states = {folder.name: outcome(folder).status for folder in submitted.members}
    assert sorted(states.values()) == ["done", "done", "done", "failed"]
    assert len(sweep_outcome(submitted.folder).record["members_without_results"]) == 1
    broken.unlink()
    again = resume_sweep(submitted.folder, config=config)
    assert len(again.members) == 1
    assert len(again.kept) == 3
    with active_runner():
        assert wait_for(again, 120)
    found = sweep_outcome(submitted.folder)
    assert found.record["members_without_results"] == {}
    assert len(found.record["members_judged"]) == 4
    assert found.report is not None
    assert found.report.is_file()
    with pytest.raises(InvalidRequest, match="every member"):
        resume_sweep(submitted.folder, config=config)
    listed = list_runs(tmp_path / "my runs")
    assert {row["sweep"] for row in listed} == {found.record["sweep_id"]}


def test_runs_are_found_by_the_beginning_of_their_names(config: ConfigEnv, tmp_path: Path) -> None:
    submitted = submit_simulation(plan("spinodal", SMALL), config=config, force=True, attempts=1)
    runs = tmp_path / "my runs"
    assert find_run(submitted.run_id, runs) == submitted.folder
    assert find_run(submitted.folder.name[:22], runs) == submitted.folder
    assert find_run(str(submitted.folder), runs) == submitted.folder
    for text in ("20", "nothing", ""):
        if text == "20":
            submit_simulation(plan("spinodal", SMALL), config=config, force=True, attempts=1)
        with pytest.raises(InvalidRequest):
            find_run(text, runs)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(config: ConfigEnv, tmp_path: Path) -> None:
    (tmp_path / "my runs").mkdir(mode=0o500)
    with pytest.raises(InvalidRequest, match="RUNS_DIR"):
        submit_simulation(plan("spinodal", SMALL), config=config, force=True, attempts=1)


def test_a_sweep_is_not_resumed_while_its_members_are_under_way(config: ConfigEnv) -> None:
    submitted = submit_sweep(sweep_cases("spinodal", SMALL, {"c0": [0.45, 0.5]}), config=config, force=True, attempts=1)
    with pytest.raises(InvalidRequest, match=r"2 members of .* are still under way"):
        resume_sweep(submitted.folder, config=config)
    with open_project() as opened:
        stop_jobs(opened, [one.id for one in list_jobs(opened, JobFilter())])
    # Nobody does anything for them any more.
    assert len(resume_sweep(submitted.folder, config=config).members) == 2
