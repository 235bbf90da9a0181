"""Every check of grain growth passes on a run that is right, fails on a spoilt one, and knows its limits."""

import math
from dataclasses import replace

import numpy as np
import pytest

from towline.simulations.application import Origin, Outcome, Results, RunFiles, Value, Verdict, Word
from towline.simulations.moose.grain_growth import APPLICATION
from towline.simulations.moose.grain_growth.field_checks import neumann_mullins
from towline.simulations.moose.grain_growth.grains import GrainSizes
from towline.simulations.moose.grain_growth.kinetic_checks import kinetic_checks, large_enough
from towline.simulations.moose.grain_growth.kinetics import kinetics_of
from towline.simulations.moose.grain_growth.theory import boundary_of
from towline.simulations.moose.output_files import UnreadableOutput

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def test_a_run_that_nothing_proves_wrong_is_credible(grains):
    found = grains.judge()
    verdict = Verdict.of(list(found.values()))
    assert verdict.word is Word.CREDIBLE, verdict.sentence()
    assert {one.check for one in verdict.results if one.outcome is PASS} == {
        *("N1", "N2", "N3", "N4", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8"),
    }


def _exit_code(run):
    run.exit_code = 1


def _no_end(run):
    run.log = run.log.replace("Finished Executing", "")


def _error(run):
    run.log += "*** ERROR ***\nsomething broke\n"


def _early(run):
    run.columns = {name: values[:100] for name, values in run.columns.items()}


def _nan(run):
    run.columns["gb_length"][30] = np.nan


def _time_falls(run):
    run.columns["time"][40] = run.columns["time"][39]


def _cut_off(run):
    run.ending = ""


def _rejections(run):
    run.log = run.log.replace(" Solve Converged!", " Solve Did NOT Converge!", 90)


def _other_temperature(run):
    run.input = run.input.replace("T = 600", "T = 601")


def _no_seed(run):
    run.input = "\n".join(line for line in run.input.split("\n") if "rand_seed" not in line)


def _new_grain(run):
    run.columns["grain_tracker"][100] += 4


def _fewer_at_start(run):
    run.columns["grain_tracker"][0] = 290


def _stagnation(run):
    times, counts = run.columns["time"], run.columns["grain_tracker"]
    late = times > 0.4 * times[-1]
    counts[late] = np.floor(counts[late][0] * (1 - 0.15 * (times[late] - times[late][0]) / np.ptp(times[late])))


def _diffusive(run):
    # ⟨R⟩ ∝ t^(1/5): an exponent of 5.
    times = run.columns["time"]
    run.columns["grain_tracker"] = np.floor(300 * (1 + 20 * times / times[-1]) ** (-2 / 5))


def _fast(run):
    times = run.columns["time"]
    run.columns["grain_tracker"] = np.maximum(np.floor(300 / (1 + 14 * times / times[-1])), 1)


def _energy_rises(run):
    run.columns["total_energy"][80] = run.columns["total_energy"][79] * 1.0001


def _lost_volume(run):
    run.columns["avg_grain_volume"] = run.columns["avg_grain_volume"] * 0.95


def _overshoot(run):
    run.columns["eta_max"][70] = 1.2


def _wrong_energy(run):
    run.columns["total_energy"] = run.columns["total_energy"] * 1.2


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("N1", _exit_code), ("N1", _no_end), ("N1", _error), ("N1", _early),
        ("N2", _nan), ("N2", _time_falls), ("N2", _cut_off),
        ("N3", _rejections), ("N4", _other_temperature), ("N4", _no_seed),
        ("G1", _new_grain), ("G2", _fewer_at_start), ("G3", _stagnation), ("G4", _diffusive), ("G5", _fast),
        ("G6", _energy_rises), ("G7", _lost_volume), ("G7", _overshoot), ("G8", _wrong_energy),
    ],
)  # fmt: skip
def test_a_spoilt_run_is_falsified(grains, check, spoil):
    spoil(grains)
    assert grains.outcome(check) is FAIL
    assert check in Verdict.of(list(grains.judge().values())).falsified_by


def _unseen(run):
    run.exit_code = None


def _few_rows(run):
    run.columns = {name: values[:4] for name, values in run.columns.items()}


def _no_steps(run):
    run.log = "Finished Executing"


def _unreadable_input(run):
    run.input = "[Mesh]\n"


def _constant(run):
    run.columns["grain_tracker"] = np.full(161, 300.0)


def _transient(run):
    run.columns["grain_tracker"][100:102] += 4
    run.log += "Couldn't find a matching grain while working on variable index: 3\n"


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("N1", _unseen), ("N2", _few_rows), ("N3", _no_steps), ("N4", _unreadable_input),
        ("G1", lambda run: run.without("grain_tracker")), ("G1", _transient),
        ("G2", lambda run: run.without("grain_tracker")), ("G2", lambda run: run.with_value("ic_type", "Random")),
        ("G3", _constant), ("G4", _constant), ("G5", _constant), ("G3", _few_rows),
        ("G3", lambda run: run.without("grain_tracker")),
        ("G6", lambda run: run.without("total_energy")), ("G7", lambda run: run.without("eta_max")),
        ("G7", lambda run: run.without("avg_grain_volume")), ("G8", lambda run: run.without("gb_length")),
        ("G8", lambda run: run.with_value("wGB", 2.0)), ("G9", _unseen), ("G11", _unseen), ("C1", _unseen),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_neither_passed_nor_failed(grains, check, spoil):
    spoil(grains)
    assert grains.outcome(check) is INCONCLUSIVE


def test_a_grain_that_vanishes_may_be_seen_once_more(grains):
    counts = grains.columns["grain_tracker"]
    counts[100:104] = [counts[99] - 2, counts[99] - 1, counts[99] - 3, counts[99] - 3]
    counts[104:] = np.minimum(counts[104:], counts[103])
    found = grains.judge()["G1"]
    assert found.outcome is PASS
    assert "not seen for a moment" in found.reason


def test_grains_that_met_and_were_parted_again_are_no_new_ones(grains):
    counts = grains.columns["grain_tracker"]
    counts[99:102] = [counts[98], counts[98] - 1, counts[98]]
    counts[102:] = np.minimum(counts[102:], counts[101])
    found = grains.judge()["G1"]
    assert found.outcome is PASS, found.reason
    assert found.numbers["rises"] == 1


def test_many_grains_that_come_and_go_are_made_by_numerics(grains):
    counts = grains.columns["grain_tracker"]
    counts[60:140:4] -= 1
    assert grains.outcome("G1") is FAIL


def test_a_grain_that_the_tracker_announced_and_that_stays_is_a_new_grain(grains):
    _transient(grains)
    grains.columns["grain_tracker"][100:] = grains.columns["grain_tracker"][100]
    assert grains.outcome("G1") is FAIL


def test_growth_by_too_few_grains_gives_numbers_but_no_verdict(grains):
    grains.columns["grain_tracker"] = np.maximum(grains.columns["grain_tracker"] - 255, 2)
    found = grains.judge()
    assert found["G3"].outcome is INCONCLUSIVE
    metrics = APPLICATION.results(grains.case, grains.write()).metrics
    assert not metrics["growth_rate"].valid
    assert "not valid" in metrics["growth_rate"].note


def test_in_three_dimensions_the_radius_is_asked(grains):
    for name, value in (("dim", 3), ("zmax", 400.0), ("periodic_z", True), ("nz", 4)):
        grains.case = replace(grains.case, values={**grains.case.values, name: Value(value, Origin.DERIVED)})
    constant, volume = boundary_of(grains.case).kinetic_coefficient, 1600 * 1600 * 400
    times = grains.columns["time"]

    def at(ratio):
        squares = (3 * volume / (4 * math.pi * 300)) ** (2 / 3) + ratio * constant * times
        grains.columns["grain_tracker"] = np.floor(3 * volume / (4 * math.pi * squares**1.5) + 1e-9)
        results = APPLICATION.results(grains.case, grains.write())
        return {one.check: one for one in kinetic_checks(grains.case, results, None)}

    right = at(2.0)
    assert right["G3"].outcome is PASS, right["G3"].reason
    assert right["G5"].numbers["ratio"] == pytest.approx(2.0, rel=0.03)
    assert right["G5"].outcome is PASS
    assert at(4.0)["G5"].outcome is FAIL


def test_rates_are_those_that_were_put_in(grains):
    metrics = APPLICATION.results(grains.case, grains.write()).metrics
    ratio = metrics["rate_over_kinetic_coefficient"]
    assert ratio.valid
    assert ratio.value == pytest.approx(1.1, rel=0.02)
    assert metrics["growth_exponent"].value == pytest.approx(2, abs=0.3)
    assert metrics["kinetic_coefficient"].value == pytest.approx(20.7, rel=5e-3)


def test_the_first_row_of_what_is_not_evaluated_at_the_start_is_no_value(grains):
    assert math.isnan(APPLICATION.results(grains.case, grains.write()).series["dt"][0])


def test_a_run_without_files_is_judged_without_a_crash(grains, tmp_path):
    files = RunFiles(tmp_path, tmp_path / "none.i", None, None, None, None)
    found = APPLICATION.checks(grains.case, files, Results({}, {}))
    assert all(one.outcome is INCONCLUSIVE for one in found)
    assert Verdict.of(found).word is Word.INCONCLUSIVE


@pytest.mark.parametrize("length", [0, 1, 40, 500, 3000])
def test_a_table_cut_at_any_place_is_an_error_or_no_pass(grains, length):
    files = grains.write()
    text = files.csv.read_text()
    files.csv.write_text(text[:length])
    try:
        outcome = grains.judge(files)["N2"].outcome
    except UnreadableOutput as error:
        outcome = error
    assert outcome is not PASS


def _sizes(ratio, grains=40, largest=1.0):
    """Grains that grow at (π/3) Mσ (n − 6) times a factor, Mσ = 20.7 nm²/ns."""
    times = np.array([100.0, 110.0, 120.0])
    areas, sides = [], []
    slope = ratio * math.pi / 3 * 20.70
    for time in times:
        areas.append({one: largest * 5e4 + slope * (one % 5 - 2) * (time - 100) for one in range(grains)})
        sides.append({g: 4 + g % 5 for g in range(grains)})
    return GrainSizes(times, tuple(areas), tuple(sides))


def test_the_law_of_von_neumann_and_mullins_is_asked_of_single_grains(grains):
    case = grains.case
    assert boundary_of(case).settling_time < 100
    right = neumann_mullins(case, _sizes(1.0))
    assert right.outcome is PASS
    assert right.numbers["ratio"] == pytest.approx(1, abs=1e-3)
    assert neumann_mullins(case, _sizes(0.6)).outcome is FAIL
    assert neumann_mullins(case, _sizes(1.0, grains=10)).outcome is INCONCLUSIVE
    assert neumann_mullins(case, None).outcome is INCONCLUSIVE


def test_a_grain_of_a_quarter_of_the_box_takes_the_power_from_the_rates(grains):
    results = APPLICATION.results(grains.case, grains.write())
    kinetics = kinetics_of(grains.case, results)
    assert large_enough(kinetics, _sizes(1.0)).outcome is PASS
    assert large_enough(kinetics, _sizes(1.0, largest=0.3 * kinetics.volume / 5e4)).outcome is FAIL
