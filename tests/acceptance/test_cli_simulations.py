"""`tow simulate` and `tow simulation`, as they are typed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.operations import runners
from towline.testing.command_line import Answer, tow

SMALL = ("--set", "c0=0.5", "--set", "xmax=20", "--set", "nx=32", "--set", "end_time=30", "--set", "growth_steps=16")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MOOSE_EXEC", raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    if runners.status().active:
        runners.stop()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """A simulation that was run once, with what the command said."""
    folder = tmp_path_factory.mktemp("simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOWLINE_HOME", str(folder / "home"))
        patch.delenv("MOOSE_EXEC", raising=False)
        patch.chdir(folder)
        answer = tow("simulate", "--physics", "spinodal", *SMALL, "--force", "--attempts", "1", "--backend-name", "x")
    return folder, answer


def test_a_simulation_ends_with_its_verdict_and_the_paths(simulated: tuple[Path, Answer]) -> None:
    folder, answer = simulated
    lines = answer.out.splitlines()
    verdict = next(line for line in lines if line.startswith("verdict: "))
    codes = {"CREDIBLE": 0, "FALSIFIED": 4, "INCONCLUSIVE": 5}
    assert answer.code == codes[verdict.split()[1]]
    paths = [Path(line.partition(": ")[2]) for line in lines if line.startswith(("figure: ", "report: "))]
    assert len(paths) > 2
    assert all(path.is_file() for path in paths)
    assert Path(lines[-1].removeprefix("run directory: ")).parent == folder / "runs"
    assert any(line.startswith("solver: embedded solver of towline (not MOOSE)") for line in lines)
    assert "step" in answer.err
    assert "warning: " in answer.err


def test_runs_are_listed_shown_judged_verified_and_exported(
    simulated: tuple[Path, Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, answer = simulated
    monkeypatch.chdir(folder)
    (row,) = tow("simulation", "list", "--json").json
    assert row["status"] == "done"
    run = row["dir_name"]
    assert run[:40] in tow("simulation", "list").out
    shown = tow("simulation", "show", row["run_id"], "--json").json
    assert shown["params"]["c0"] == 0.5
    assert shown["verdict"] == row["verdict"]["verdict"]
    assert f"verdict: {row['verdict']['sentence']}" in tow("simulation", "show", run).out
    assert "Finished Executing" in tow("simulation", "show", run, "--log").out
    assert tow("simulation", "check", run).code == answer.code
    assert tow("simulation", "verify", run).code == 0
    exported = tow("simulation", "export", run, "-o", "crate.zip")
    assert exported.code == 0, exported.err
    assert (folder / "crate.zip").is_file()
    (folder / "runs" / run / "spinodal.csv").write_text("time\n")
    changed = tow("simulation", "verify", run)
    assert changed.code == 1
    assert "changed: spinodal.csv" in changed.out


def test_the_plan_is_shown_without_running_anything(home: Path) -> None:
    answer = tow("simulate", "--params", '{"T":800,"n_grains":50}', "--dry-run")
    assert answer.code == 0
    assert "num_grains" in answer.out
    assert "dry run: nothing was run" in answer.err
    assert "cost: about " in answer.err
    assert "It rests on " in answer.err
    document = tow("simulate", "--params", '{"T":800,"n_grains":50}', "--dry-run", "--json").json
    assert document["values"]["T"] == {"value": 800.0, "unit": "K", "origin": "stated", "note": ""}
    assert document["can_run"]
    assert not (home / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--params", '{"T": -5}'), "from 1 to 5000 K"),
        (("--params", '{"n_grain": 5}'), "Did you mean 'n_grains'?"),
        (("--params", "T=5"), "no JSON"),
        (("--set", "T"), "no assignment"),
        (("--physics", "spinoda"), "Did you mean 'spinodal'?"),
        (("--set", "run_name=../x"), "run_name is '../x'"),
        (("--set", "run_name=$(reboot)"), "run_name is '$(reboot)'"),
        (("--set", "nx=31623", "--set", "ny=31623"), "GiB of memory"),
        (("--set", "nx=1e12"), "from 1 to 1e+09"),
        (("--file", "missing.yaml"), "there is no case file"),
        (("--config", "missing.env"), "there is no file"),
        (("--env", "EXECUTION_BACKEND=hpc"), "HPC_SCRATCH, HPC_MOOSE_APP"),
        (("--env", "MOOSE_EXEC=/nowhere/x"), "MOOSE_EXEC is '/nowhere/x' (command line)"),
    ],
)
def test_what_is_wrong_is_refused_with_its_name(arguments: tuple[str, ...], told: str, home: Path) -> None:
    answer = tow("simulate", *arguments)
    assert answer.code == 1
    assert told in answer.err
    assert not (home / "runs").exists()


def test_a_dry_run_of_an_impossible_case_has_an_exit_code() -> None:
    answer = tow("simulate", "--set", "T=1400", "--dry-run")
    assert answer.code == 1
    assert "melts at 1357.77 K" in answer.err


def test_a_case_file_asks_for_a_sweep(home: Path) -> None:
    (home / "case.yaml").write_text("physics: grain_growth\nparams: {num_grains: 100}\nsweep: {T: [450, 600]}\n")
    members = tow("simulate", "-f", "case.yaml", "--dry-run", "--json").json
    assert [one["values"]["T"]["value"] for one in members] == [450, 600]
    shown = tow("simulation", "sweep", "-f", "case.yaml", "--over", "T=500,700,800", "--seeds", "2", "--dry-run")
    assert "6 simulations" in shown.err
    (home / "case.yaml").write_text("physic: grain_growth\n")
    assert "Did you mean 'physics'?" in tow("simulate", "-f", "case.yaml").err


@pytest.mark.parametrize("example", ["copper_grain_growth.yaml", "iron_chromium.yaml"])
def test_the_case_files_of_the_examples_can_be_run(example: str) -> None:
    path = Path(__file__).resolve().parents[2] / "examples" / example
    answer = tow("simulate", "-f", str(path), "--dry-run")
    assert answer.code == 0, answer.err
    assert "error: " not in answer.err
    assert "warning: " not in answer.err


def test_a_sentence_is_shown_as_it_was_understood() -> None:
    sentence = "grain growth in copper between 300 and 750 K, four temperatures, 100 grains"
    answer = tow("simulate", sentence, "--dry-run", "--json")
    assert [one["values"]["T"]["value"] for one in answer.json["members"]] == [300, 450, 600, 750]
    assert "understood: num_grains = 100" in answer.err


def test_inputs_are_rendered_and_checked(home: Path) -> None:
    rendered = tow("simulation", "render", "--physics", "spinodal", "--preset", "FeCr_alloy", "-o", "a.i")
    assert rendered.code == 0, rendered.err
    assert tow("simulation", "check", "a.i").out == "Syntax OK\n"
    (home / "a.i").write_text((home / "a.i").read_text().replace("SplitCHParsed", "SplitCHParse"))
    answer = tow("simulation", "check", "a.i")
    assert answer.code == 1
    assert "Did you mean 'SplitCHParsed'?" in answer.out


def test_physics_and_their_parameters_are_shown() -> None:
    assert {one["name"] for one in tow("simulation", "show", "--json").json} >= {"grain_growth", "spinodal"}
    shown = tow("simulation", "show", "grain_growth")
    assert "n_grains, grain_num, grains, N0" in shown.out
    assert "a number from 1 to 5000 K" in shown.out
    document = tow("simulation", "show", "spinodal", "--json").json
    assert "FeCr_alloy" in document["presets"]


def test_a_simulation_can_be_left_in_the_queue(home: Path) -> None:
    answer = tow("simulate", "--physics", "spinodal", *SMALL, "--force", "--no-wait", "--json")
    assert answer.code == 0
    assert Path(answer.json["run_dir"]).is_dir()
    assert "tow runner start" in answer.err
    assert json.loads((Path(answer.json["run_dir"]) / "record.json").read_text())["status"] == "pending"
    assert len(tow("job", "list", "--json").json) == 3


def test_keys_of_config_env_are_read_from_the_folder(home: Path) -> None:
    (home / "config.env").write_text('RUNS_DIR="elsewhere"  # a comment\nMOOSE_EXE=/x\n')
    answer = tow("simulate", "--physics", "spinodal", *SMALL, "--force", "--no-wait", "--json")
    assert Path(answer.json["run_dir"]).parent == home / "elsewhere"
    assert "Did you mean 'MOOSE_EXEC'?" in answer.err


def test_a_solver_is_qualified_by_a_problem_with_a_known_answer(home: Path) -> None:
    coarse = ["--physics", "spinodal", "--set", "c0=0.5", "--set", "xmax=20", "--set", "nx=32"]
    answer = tow("simulation", "qualify", *coarse)
    assert answer.code == 0, answer.err
    assert "solver: embedded solver of towline (not MOOSE)" in answer.out
    assert "S10 pass: the energy of a flat interface is " in answer.out
    # Two cells per interface are too few, and it says so.
    document = tow("simulation", "qualify", *coarse[:-1], "nx=10", "--json")
    assert document.code == 4
    assert document.json["outcome"] == "fail"
    assert (Path(document.json["folder"]) / "qualification.csv").is_file()


def test_a_program_that_cannot_be_qualified_tells_why(home: Path) -> None:
    program = home / "broken-opt"
    program.write_text("#!/bin/sh\necho no licence\nexit 3\n")
    program.chmod(0o755)
    answer = tow("simulation", "qualify", "--physics", "spinodal", "--env", f"MOOSE_EXEC={program}")
    assert answer.code == 1
    assert "ended with exit code 3" in answer.err
    assert "no licence" in answer.err


def test_a_dry_run_of_a_sentence_ends_as_the_run_would(home: Path) -> None:
    sentence = "grain growth in copper at 500 K with 50 grains on Tuesday"
    answer = tow("simulate", sentence, "--dry-run")
    assert answer.code == 1
    assert "num_grains" in answer.out
    assert "not understood: Tuesday" in answer.err
    assert tow("simulate", sentence, "--dry-run", "--force").code == 0
    assert tow("simulate", sentence.removesuffix(" on Tuesday"), "--dry-run").code == 0
