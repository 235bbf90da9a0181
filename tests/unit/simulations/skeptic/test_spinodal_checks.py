"""Every check of spinodal decomposition passes on a run that is known to be right, fails on a spoilt one, and more."""

import numpy as np
import pytest

from towline.simulations.application import Outcome, Results, RunFiles, Verdict, Word
from towline.simulations.moose.solver.exodus import ExodusFile
from towline.simulations.moose.solver.mesh import UniformMesh
from towline.simulations.moose.spinodal import APPLICATION
from towline.simulations.moose.spinodal.theory import double_well, iron_chromium, mixture_of

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def write_snapshot(run, low=None, high=None, share=None):
    """Write a last snapshot of two phases in stripes, and return the files of the run."""
    files = run.write()
    mixture = mixture_of(run.case)
    low = mixture.binodal[0] if low is None else low
    high = mixture.binodal[1] if high is None else high
    share = mixture.phase_share(run.case.number("c0")) if share is None else share
    mesh = UniformMesh((200, 10), (0.0, 0.0), (200.0, 10.0), (False, False), 0)
    path = run.folder / "run.e"
    exodus = ExodusFile(path, mesh, ["c"], [], [], "stripes")
    columns = np.where(np.arange(201) < 201 * share, high, low)
    exodus.write(1.0, {"c": np.broadcast_to(columns, (11, 201))}, {}, {})
    exodus.close()
    return RunFiles(files.folder, files.input_file, files.log, files.csv, path, files.exit_code)


def test_a_run_that_nothing_proves_wrong_is_credible(mixture):
    found = mixture.judge(write_snapshot(mixture))
    verdict = Verdict.of(list(found.values()))
    assert verdict.word is Word.CREDIBLE, verdict.sentence()
    assert {one.check for one in verdict.results if one.outcome is PASS} == {
        *("N1", "N2", "N3", "N4", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9"),
    }


def _loses_mass(run):
    run.columns["total_c"] = run.columns["total_c"] * np.linspace(1, 1 - 1e-4, 401)


def _energy_rises(run):
    run.columns["total_energy"][200] = run.columns["total_energy"][199] + 1e-6


def _does_not_decompose(run):
    run.columns["c_max"], run.columns["c_min"] = np.full(401, 0.6), np.full(401, 0.4)


def _grows_slowly(run):
    growth = run.columns["c_squared"] - run.columns["c_average"] ** 2
    run.columns["c_squared"] = run.columns["c_average"] ** 2 + growth[0] * np.sqrt(growth / growth[0])


def _stops_coarsening(run):
    lengths = run.columns["interface_length"]
    run.columns["interface_length"] = np.maximum(lengths, lengths[150])


def _leaves_the_logarithm(run):
    run.columns["c_min"][300] = -0.01


def _potential_grows(run):
    run.columns["w_squared"] = 1 + run.columns["time"]


def _other_energy(run):
    run.input = run.input.replace("1.208993e+04", "1.308993e+04")


def _other_mobility(run):
    run.input = run.input.replace("2.2841e-26", "2.2842e-26")


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("N4", _other_energy), ("N4", _other_mobility), ("S1", _loses_mass), ("S2", _energy_rises),
        ("S3", _does_not_decompose), ("S4", _grows_slowly), ("S7", _stops_coarsening),
        ("S8", _leaves_the_logarithm), ("S9", _potential_grows),
    ],
)  # fmt: skip
def test_a_spoilt_run_is_falsified(mixture, check, spoil):
    spoil(mixture)
    assert mixture.outcome(check) is FAIL
    assert check in Verdict.of(list(mixture.judge().values())).falsified_by


def test_wrong_phases_falsify(mixture):
    low, high = iron_chromium().binodal
    assert mixture.judge(write_snapshot(mixture, low=low + 0.05))["S5"].outcome is FAIL
    assert mixture.judge(write_snapshot(mixture, high=high - 0.05))["S5"].outcome is FAIL
    assert mixture.judge(write_snapshot(mixture, share=0.5))["S6"].outcome is FAIL
    assert mixture.judge(write_snapshot(mixture, low=high))["S5"].outcome is INCONCLUSIVE


def test_phases_that_are_mostly_interface_are_not_judged(mixture):
    files = write_snapshot(mixture)
    mixture.columns["interface_length"] *= 20
    mixture.write()
    found = mixture.judge(files)
    assert {found[check].outcome for check in ("S5", "S6")} == {INCONCLUSIVE}


def _short(run):
    run.columns = {name: values[:20] for name, values in run.columns.items()}


def _small_box(run):
    for name in ("interface_length",):
        run.columns[name] = run.columns[name] / 20


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("S1", lambda run: run.without("total_c")), ("S2", lambda run: run.without("total_energy")),
        ("S3", lambda run: run.without("c_max")), ("S3", _short), ("S4", lambda run: run.without("c_squared")),
        ("S4", lambda run: run.with_value("c0", 0.3)), ("S5", lambda run: run), ("S6", lambda run: run),
        ("S7", lambda run: run.without("interface_length")), ("S7", _short), ("S7", _small_box),
        ("S7", _does_not_decompose), ("S8", lambda run: run.without("c_min")),
        ("S9", lambda run: run.without("w_squared")), ("S9", _does_not_decompose), ("C1", lambda run: run),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_neither_passed_nor_failed(mixture, check, spoil):
    spoil(mixture)
    assert mixture.outcome(check) is INCONCLUSIVE


def test_a_double_well_is_not_asked_for_logarithms(tmp_path):
    from towline.simulations import parameters

    case = APPLICATION.resolve(parameters.check(APPLICATION, {}))
    files = RunFiles(tmp_path, tmp_path / "none.i", None, None, None, None)
    found = {one.check: one for one in APPLICATION.checks(case, files, Results({}, {}))}
    assert "S8" not in found
    assert all(one.outcome is INCONCLUSIVE for one in found.values())


def test_rates_and_exponents_are_those_that_were_put_in(mixture):
    metrics = APPLICATION.results(mixture.case, write_snapshot(mixture)).metrics
    assert metrics["early_rate_over_theory"].value == pytest.approx(0.95, rel=0.02)
    assert metrics["coarsening_exponent"].value == pytest.approx(1 / 3, abs=0.02)
    assert metrics["coarsening_exponent"].valid
    assert metrics["phase_low"].value == pytest.approx(0.2363, abs=2e-3)
    assert metrics["phase_high"].value == pytest.approx(0.8237, abs=2e-3)


def test_the_theory_gives_the_published_figures():
    # MOOSE's spinodal tutorial: 23.6 and 82.3 at.% at 500 °C.
    alloy = iron_chromium()
    assert alloy.binodal == pytest.approx((0.236, 0.823), abs=1e-3)
    assert alloy.spinodal == pytest.approx((0.363, 0.712), abs=1e-3)
    assert alloy.interface_width == pytest.approx(1.03, abs=0.01)
    well = double_well(1, 0.5, 1)
    assert well.interface_energy == pytest.approx(np.sqrt(2 * 0.5) / 6)
    assert well.longest_unique_step == pytest.approx(2.0)
    # The fastest wave is that of the largest ω(k).
    waves = np.linspace(0.01, 2, 4000)
    rates = [well.growth_rate(0.4677, wave) for wave in waves]
    assert max(rates) == pytest.approx(well.growth_rate(0.4677), rel=1e-5)
    assert 2 * np.pi / waves[int(np.argmax(rates))] == pytest.approx(well.fastest_wavelength(0.4677), rel=1e-3)
    assert np.isnan(well.growth_rate(0.1))
