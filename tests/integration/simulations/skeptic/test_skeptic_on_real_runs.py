"""The Skeptic on runs of the embedded solver: what is right passes, what was tampered with does not."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from PIL import Image

from towline.simulations import parameters
from towline.simulations.application import Outcome, RunFiles, Verdict
from towline.simulations.moose import grain_growth, spinodal
from towline.simulations.moose.grain_growth import qualification as disc
from towline.simulations.moose.spinodal import qualification as interface
from towline.simulations.reports import run_report

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
COARSE_GRAINS = {"T": 600, "num_grains": 14, "wGB": 20, "xmax": 340, "ymax": 340, "nx": 68, "ny": 68, "end_time": 120}
SMALL_MIXTURE = {"xmax": 32, "ymax": 32, "nx": 72, "ny": 72, "end_time": 230}


def solve(folder, text, name):
    """Run an input on the embedded solver as a user would; returns the exit code."""
    (folder / f"{name}.i").write_text(text)
    program = "from towline.simulations.moose.command import run; run()"
    with (folder / "run.log").open("w") as log:
        done = subprocess.run(
            [sys.executable, "-c", program, "-i", f"{name}.i"], cwd=folder, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip
    return done.returncode


def carry_out(folder, application, stated):
    """Run a case and return it with its files."""
    case = application.resolve(parameters.check(application, stated))
    name = str(case["run_name"])
    code = solve(folder, application.input_text(case), name)
    paths = (folder / f"{name}.i", folder / "run.log", folder / f"{name}.csv", folder / f"{name}.e")
    return case, RunFiles(folder, *paths, code)


def judged(application, case, files):
    """Return the results and the checks by their ids."""
    results = application.results(case, files)
    return results, {one.check: one for one in application.checks(case, files, results)}


@pytest.fixture(scope="module")
def grains(tmp_path_factory):
    """A small polycrystal: too few grains for kinetics, enough for everything else."""
    return carry_out(tmp_path_factory.mktemp("grains"), grain_growth.APPLICATION, COARSE_GRAINS)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """A small box of iron-chromium that decomposes."""
    return carry_out(tmp_path_factory.mktemp("mixture"), spinodal.APPLICATION, SMALL_MIXTURE)


def copied(folder, files):
    """A run in a folder of its own, to be spoilt."""
    shutil.copytree(files.folder, folder, dirs_exist_ok=True)
    moved = {name: folder / getattr(files, name).name for name in ("input_file", "log", "csv", "exodus")}
    return replace(files, folder=folder, **moved)


def test_a_small_polycrystal_is_sound_but_says_nothing_of_kinetics(grains):
    case, files = grains
    _, found = judged(grain_growth.APPLICATION, case, files)
    outcomes = {check: one.outcome for check, one in found.items()}
    assert {check for check, one in outcomes.items() if one is FAIL} == set(), found
    assert {check for check, one in outcomes.items() if one is PASS} >= {
        *("N1", "N2", "N3", "N4", "G1", "G2", "G6", "G7", "G8"),
    }
    assert outcomes["G3"] is INCONCLUSIVE
    assert "INCONCLUSIVE because" in Verdict.of(list(found.values())).sentence()


def test_a_small_mixture_is_credible(mixture):
    case, files = mixture
    results, found = judged(spinodal.APPLICATION, case, files)
    verdict = Verdict.of(list(found.values()))
    assert verdict.sentence() == "CREDIBLE"
    # The minima of the double well, shifted a little by curvature.
    assert results.metrics["phase_low"].value == pytest.approx(0, abs=0.03)
    assert results.metrics["phase_high"].value == pytest.approx(1, abs=0.03)
    assert results.metrics["early_rate_over_theory"].value == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("place", ["grains", "mixture"])
def test_figures_and_report_of_a_real_run(request, tmp_path, place):
    case, files = request.getfixturevalue(place)
    application = {"grains": grain_growth, "mixture": spinodal}[place].APPLICATION
    results, found = judged(application, case, files)
    figures = application.figures(case, files, results, tmp_path)
    names = {one.path.name for one in figures}
    assert {"microstructure.png", "microstructure.gif", "energy.png"} <= names
    with Image.open(tmp_path / "microstructure.gif") as moving:
        assert moving.n_frames > 3
        assert moving.width > 200
    for one in figures:
        with Image.open(one.path) as picture:
            assert len(set(picture.convert("L").resize((64, 64)).get_flattened_data())) > 8, f"{one.path} is empty"
    report = tmp_path / "report.html"
    verdict = Verdict.of(list(found.values()))
    run_report(application, case, application.preflight(case), files, results, verdict, figures, {}, report)
    assert report.read_text().count("data:image/") == len(figures)


def test_tampering_with_a_real_run_is_found(tmp_path, grains):
    case, files = grains
    spoilt = copied(tmp_path / "a", files)
    spoilt.input_file.write_text(spoilt.input_file.read_text().replace("Q = 0.23", "Q = 0.24"))
    assert judged(grain_growth.APPLICATION, case, spoilt)[1]["N4"].outcome is FAIL
    spoilt = copied(tmp_path / "b", files)
    text = spoilt.csv.read_text()
    spoilt.csv.write_text(text[: len(text) // 2])
    found = judged(grain_growth.APPLICATION, case, spoilt)[1]
    assert found["N2"].outcome is FAIL
    assert found["N1"].outcome is FAIL
    spoilt = copied(tmp_path / "c", files)
    spoilt.exodus.write_bytes(spoilt.exodus.read_bytes()[:3000])
    results, found = judged(grain_growth.APPLICATION, case, spoilt)
    assert found["G9"].outcome is INCONCLUSIVE
    assert grain_growth.APPLICATION.figures(case, spoilt, results, tmp_path / "figures")


def test_a_disc_qualifies_cells_and_steps(tmp_path):
    stated = {"T": 450, "wGB": 20, "num_grains": 30, "xmax": 500, "ymax": 500, "dt_start": 4, "dtmax": 20}
    fine = grain_growth.APPLICATION.resolve(
        parameters.check(grain_growth.APPLICATION, stated | {"nx": 100, "ny": 100, "end_time": 1000})
    )
    assert solve(tmp_path, disc.qualification_input(fine, "circle"), "circle") == 0
    right = disc.qualification_check(fine, tmp_path / "circle.csv")
    assert right.outcome is PASS, right.reason
    # Twice the mobility in the plan is not what the disc did.
    values = dict(fine.values)
    values["GBmob0"] = replace(values["GBmob0"], value=5e-6)
    assert disc.qualification_check(replace(fine, values=values), tmp_path / "circle.csv").outcome is FAIL
    assert disc.qualification_check(fine, tmp_path / "none.csv").outcome is INCONCLUSIVE


def test_a_flat_interface_qualifies_cells(tmp_path):
    application = spinodal.APPLICATION

    def qualified(stated):
        case = application.resolve(parameters.check(application, stated))
        assert solve(tmp_path, interface.qualification_input(case, "interface"), "interface") == 0
        return case, interface.qualification_check(case, tmp_path / "interface.csv")

    case, right = qualified({})
    assert right.outcome is PASS, right.reason
    assert interface.qualification_check(case, tmp_path / "none.csv").outcome is INCONCLUSIVE
    _, coarse = qualified({"xmax": 64, "ymax": 64, "nx": 50, "ny": 50})
    assert coarse.outcome is FAIL, coarse.reason
