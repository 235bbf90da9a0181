"""A run that is killed goes on from its last checkpoint, and ends with the numbers of one that was left alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from towline.simulations.moose.output_files import read_table
from towline.simulations.moose.solver.checkpoints import checkpoints_in, step_of
from towline.testing.waiting import wait_until

INPUTS = Path(__file__).parent / "inputs"
PROGRAM = [sys.executable, "-c", "from towline.simulations.moose.command import run; run()"]

#: What a grain-growth run can have besides: fields and tables of grains, few order parameters so that grains move.
GRAINS = """
[AuxVariables/bnds]
[]
[AuxVariables/ids]
  order = CONSTANT
  family = MONOMIAL
[]
[AuxKernels/bnds]
  type = BndsCalcAux
  variable = bnds
[]
[AuxKernels/ids]
  type = FeatureFloodCountAux
  variable = ids
  flood_counter = tracker
[]
[VectorPostprocessors/features]
  type = FeatureVolumeVectorPostprocessor
  flood_counter = tracker
  output_centroids = true
[]
[Outputs/exodus]
  type = Exodus
  file_base = case_out
  time_step_interval = 3
  execute_on = 'initial timestep_end final'
[]
"""
COPPER = ["grains=40", "side=447", "cells=80", "GlobalParams/op_num=6", "Executioner/num_steps=40"]
COPPER += ["Executioner/TimeStepper/growth_factor=1.6", "Executioner/nl_max_its=4"]
IRON = ["cells=64", "length=20", "Outputs/exodus=true", "Executioner/num_steps=45"]
CASES = {"copper": (GRAINS, COPPER), "iron_chromium": ("", IRON)}


def prepare(folder: Path, name: str) -> list[str]:
    """The command line of a case whose input is in the folder then."""
    folder.mkdir()
    more, overrides = CASES[name]
    (folder / "case.i").write_text((INPUTS / f"{name}.i").read_text() + more)
    every_second = ["Outputs/saved/type=Checkpoint", "Outputs/saved/time_step_interval=2"]
    return [*PROGRAM, "-i", "case.i", *overrides, *every_second, "Outputs/saved/file_base=case_out"]


def finish(command: list[str], folder: Path) -> str:
    """Run a command to its end; returns its log."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def kill_after(command: list[str], folder: Path, step: int) -> str:
    """Kill a run that has saved this step, or a later one, and gone on from there; returns its log."""
    saved = folder / "case_out_cp"
    table = folder / "case_out.csv"

    def beyond() -> bool:
        found = checkpoints_in(saved)
        return bool(found) and step_of(found[0]) >= step and table.read_bytes().count(b"\n") > step_of(found[0]) + 3

    log = folder / "killed.log"
    with log.open("w") as stream, subprocess.Popen(command, cwd=folder, stdout=stream, stderr=stream) as process:
        try:
            wait_until(lambda: beyond() or process.poll() is not None, 120)
            assert process.poll() is None, log.read_text()[-2000:]
        finally:
            process.kill()
    return log.read_text()


def assert_same_files(whole: Path, pieces: Path) -> None:
    """All tables and fields agree, number by number."""
    netcdf = pytest.importorskip("netCDF4")
    tables = sorted(path.name for path in whole.glob("*.csv"))
    assert tables == sorted(path.name for path in pieces.glob("*.csv"))
    for name in tables:
        assert (pieces / name).read_text() == (whole / name).read_text(), name
    with netcdf.Dataset(whole / "case_out.e") as one, netcdf.Dataset(pieces / "case_out.e") as other:
        assert len(one.dimensions["time_step"]) == len(other.dimensions["time_step"]) > 5
        assert set(one.variables) == set(other.variables)
        for name in one.variables:
            np.testing.assert_array_equal(one[name][:], other[name][:], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_run_killed_twice_ends_with_the_numbers_of_one_that_was_not(tmp_path: Path, name: str) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    log = finish(prepare(whole, name), whole)
    if name == "copper":
        # What makes it hard: grains that move between order parameters, and steps that are rejected.
        assert "Remapping grain" in log
        assert "Solve Did NOT Converge!" in log
    command = prepare(pieces, name)
    kill_after(command, pieces, 5)
    first = step_of(checkpoints_in(pieces / "case_out_cp")[0])
    second_log = kill_after([*command, "--recover"], pieces, first + 5)
    assert f"Recovering from step {first}, " in second_log
    last_log = finish([*command, "--recover"], pieces)
    assert "Time Step 1," not in last_log
    assert_same_files(whole, pieces)
    rows = read_table(pieces / "case_out.csv").columns["time"]
    assert np.all(np.diff(rows) > 0)
    assert len(checkpoints_in(pieces / "case_out_cp")) <= 2


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run with checkpoints of two steps, the last one included."""
    folder = tmp_path_factory.mktemp("saved") / "run"
    command = prepare(folder, "iron_chromium")
    finish([*command, "cells=12", "length=6", "Executioner/num_steps=30", "Outputs/saved/num_files=3"], folder)
    assert [step_of(one) for one in checkpoints_in(folder / "case_out_cp")] == [30, 28, 26]
    return folder


def recovering(saved: Path, tmp_path: Path, *words: str) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """Go on in a copy of the folder."""
    folder = tmp_path / "copy"
    if not folder.exists():
        shutil.copytree(saved, folder)
    command = [*PROGRAM, "-i", "case.i", *IRON, "cells=12", "length=6", "Executioner/num_steps=34", *words]
    return folder, subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_a_run_that_has_ended_goes_on_when_its_end_is_put_off(saved: Path, tmp_path: Path) -> None:
    folder, done = recovering(saved, tmp_path, "--recover")
    assert done.returncode == 0, done.stderr
    assert "Recovering from step 30, " in done.stdout
    assert len(read_table(folder / "case_out.csv").columns["time"]) == 35


def test_a_damaged_checkpoint_is_passed_over(saved: Path, tmp_path: Path) -> None:
    folder, _ = recovering(saved, tmp_path, "--check-input")
    newest, before = checkpoints_in(folder / "case_out_cp")[:2]
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2])
    _, done = recovering(saved, tmp_path, "--recover")
    assert done.returncode == 0, done.stderr
    assert f"a checkpoint was passed over: {newest.name}" in done.stdout
    assert f"Recovering from step {step_of(before)}, " in done.stdout
    assert len(read_table(folder / "case_out.csv").columns["time"]) == 35


def test_a_checkpoint_can_be_named(saved: Path, tmp_path: Path) -> None:
    folder, done = recovering(saved, tmp_path, "--recover", "case_out_cp/0026")
    assert "Recovering from step 26, " in done.stdout
    assert len(read_table(folder / "case_out.csv").columns["time"]) == 35


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cells=14"], "it has unknowns of the shape (2, 12, 12), and this problem (2, 14, 14)"),
        (["Outputs/exodus=false"], "the input has other outputs now"),
        (["Executioner/TimeStepper/type=ConstantDT", "-w"], "its steps were made by IterationAdaptiveStep"),
    ],
)
def test_a_checkpoint_of_another_problem_is_refused(saved: Path, tmp_path: Path, words: list[str], told: str) -> None:
    folder, _ = recovering(saved, tmp_path, "--check-input")
    before = (folder / "case_out.csv").read_text()
    _, done = recovering(saved, tmp_path, "--recover", *words)
    assert done.returncode == 1
    assert told in done.stderr
    assert (folder / "case_out.csv").read_text() == before


def test_a_table_that_was_cut_is_noticed(saved: Path, tmp_path: Path) -> None:
    folder, _ = recovering(saved, tmp_path, "--check-input")
    (folder / "case_out.csv").write_text("time\n")
    _, done = recovering(saved, tmp_path, "--recover")
    assert done.returncode == 1
    assert "case_out.csv has 5 bytes" in done.stderr


def test_without_a_checkpoint_nothing_is_recovered(tmp_path: Path) -> None:
    command = prepare(tmp_path / "run", "iron_chromium")
    done = subprocess.run(
        [*command, "--recover"], cwd=tmp_path / "run", capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "There is no checkpoint in" in done.stderr


@pytest.mark.parametrize(("words", "left"), [([], False), (["Outputs/checkpoint=true"], True)])
def test_only_checkpoints_that_the_input_asks_for_stay_at_the_end(
    saved: Path, tmp_path: Path, words: list[str], left: bool
) -> None:
    folder, done = recovering(saved, tmp_path, *words)
    assert done.returncode == 0
    assert (folder / "case_out_cp").exists() == left
