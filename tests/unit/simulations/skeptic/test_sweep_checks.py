"""What several runs say together: Arrhenius, random starts, refinement."""

import math
from dataclasses import replace

import numpy as np
import pytest

from towline.simulations import parameters
from towline.simulations.application import Member, Metric, Outcome, Results, RunFiles, Verdict, Word
from towline.simulations.moose import grain_growth, spinodal
from towline.simulations.moose.grain_growth.sweep_checks import arrhenius_fit
from towline.simulations.moose.grain_growth.theory import BOLTZMANN

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
TEMPERATURES = (450, 550, 650, 750)


def member(tmp_path, rate=None, word=Word.CREDIBLE, application=grain_growth.APPLICATION, metric=None, **stated):
    """A run with a rate of growth (or another metric), and what was stated of its case."""
    case = application.resolve(parameters.check(application, stated))
    metrics = {} if rate is None else {metric or "mean_area_rate": Metric(rate, "nm²/ns", 0.01 * rate)}
    files = RunFiles(tmp_path, tmp_path / "run.i", None, None, None, 0)
    return Member(case, files, Results(metrics, {"time": [0.0]}), replace(Verdict.of([]), word=word))


def arrhenius(tmp_path, energy=0.23, seeds=(1, 2, 3), temperatures=TEMPERATURES, scatter=0.03, **more):
    """Rates of an activation energy, with a scatter that has no trend."""
    found = []
    for place, temperature in enumerate(temperatures):
        for number, seed in enumerate(seeds):
            noise = 1 + scatter * math.sin(7 * place + 3 * number)
            rate = 1e3 * math.exp(-energy / (BOLTZMANN * temperature)) * noise
            found.append(member(tmp_path, rate, T=temperature, rand_seed=seed, **more))
    return found


def outcome(application, members, check):
    """Outcome of one of the checks of a sweep; None if it is not asked."""
    found = {one.check: one for one in application.sweep_checks(members)}
    return found[check].outcome if check in found else None


def test_the_activation_energy_of_the_material_passes_and_another_one_falsifies(tmp_path):
    assert outcome(grain_growth.APPLICATION, arrhenius(tmp_path), "G12") is PASS
    assert outcome(grain_growth.APPLICATION, arrhenius(tmp_path, energy=0.296), "G12") is FAIL
    # Rates that do not rise with temperature.
    scattered = [
        member(tmp_path, rate, T=temperature)
        for temperature, rate in zip(TEMPERATURES, (1.0, 5.0, 2.0, 9.0), strict=True)
    ]
    assert outcome(grain_growth.APPLICATION, scattered, "G12") is FAIL


@pytest.mark.parametrize(
    "members",
    [
        lambda path: arrhenius(path, seeds=(1,)),
        lambda path: arrhenius(path, temperatures=(450, 600, 750)),
        lambda path: arrhenius(path, temperatures=(450, 600)),
        lambda path: [replace(one, verdict=replace(one.verdict, word=Word.FALSIFIED)) for one in arrhenius(path)],
        lambda path: [member(path, T=one) for one in TEMPERATURES],
        lambda path: [*arrhenius(path), member(path, 5.0, T=500, Q=0.3)],
    ],
)
def test_too_few_rates_say_nothing_of_arrhenius(tmp_path, members):
    assert outcome(grain_growth.APPLICATION, members(tmp_path), "G12") is INCONCLUSIVE


def test_invalid_rates_do_not_enter_the_fit(tmp_path):
    wrong = member(tmp_path, T=900)
    metric = Metric(1e-9, "nm²/ns", valid=False)
    wrong = replace(wrong, results=Results({"mean_area_rate": metric}, {}))
    found = {one.check: one for one in grain_growth.APPLICATION.sweep_checks([*arrhenius(tmp_path), wrong])}
    assert found["G12"].outcome is PASS
    assert "no valid rate at 900 K" in found["G12"].reason


def test_the_fit_of_arrhenius_is_that_of_exact_rates():
    rates = {one: [2.5 * math.exp(-0.23 / (BOLTZMANN * one))] for one in TEMPERATURES}
    line, energy, error = arrhenius_fit(rates)
    assert energy == pytest.approx(0.23)
    assert math.exp(line.intercept) == pytest.approx(2.5)
    assert error < 1e-9
    assert arrhenius_fit({450.0: [1.0], 500.0: [2.0]}) is None


def test_random_starts_have_to_agree(tmp_path):
    def starts(*rates):
        return [member(tmp_path, rate, rand_seed=seed) for seed, rate in enumerate(rates)]

    assert outcome(grain_growth.APPLICATION, starts(1.0, 1.1, 0.9), "G13") is PASS
    assert outcome(grain_growth.APPLICATION, starts(1.0, 3.0, 0.3), "G13") is FAIL
    assert outcome(grain_growth.APPLICATION, starts(1.0, 1.1), "G13") is INCONCLUSIVE
    assert outcome(grain_growth.APPLICATION, [member(tmp_path, 1.0)], "G13") is None


def test_halved_cells_and_steps_must_not_change_the_rate(tmp_path):
    mesh = {"xmax": 1000, "ymax": 1000, "wGB": 20, "end_time": 2000}

    def pair(first, second, **finer):
        resolution = {"nx": 200, "ny": 200, "dt_start": 4, "dtmax": 20}
        return [member(tmp_path, first, **mesh, **resolution), member(tmp_path, second, **mesh, **(resolution | finer))]

    cells, steps = {"nx": 400, "ny": 400}, {"dt_start": 2, "dtmax": 10}
    assert outcome(grain_growth.APPLICATION, pair(1.0, 1.03, **cells), "C1") is PASS
    assert outcome(grain_growth.APPLICATION, pair(1.0, 1.03, **steps), "C1") is PASS
    assert outcome(grain_growth.APPLICATION, pair(1.0, 1.2, **cells), "C1") is FAIL
    assert outcome(grain_growth.APPLICATION, pair(1.0, None, **steps), "C1") is INCONCLUSIVE
    # Not halved, or another simulation: no refinement.
    assert outcome(grain_growth.APPLICATION, pair(1.0, 1.2, nx=220, ny=220), "C1") is None
    assert outcome(grain_growth.APPLICATION, pair(1.0, 1.2, **cells, num_grains=77), "C1") is None


def test_spinodal_sweeps_compare_final_domain_sizes(tmp_path):
    def runs(sizes, **stated):
        common = {"application": spinodal.APPLICATION, "metric": "domain_size_final"}
        return [
            member(tmp_path, size, **common, **{name: values[place] for name, values in stated.items()})
            for place, size in enumerate(sizes)
        ]

    application = spinodal.APPLICATION
    assert outcome(application, runs((4.0, 4.2, 4.1), rand_seed=(1, 2, 3)), "S11") is PASS
    assert outcome(application, runs((2.0, 4.2, 8.1), rand_seed=(1, 2, 3)), "S11") is FAIL
    assert outcome(application, runs((2.0, None, 8.1), rand_seed=(1, 2, 3)), "S11") is INCONCLUSIVE
    # The noise of the start is another one on another mesh.
    assert outcome(application, runs((4.0, 4.1), nx=(100, 200), ny=(100, 200)), "C1") is INCONCLUSIVE
    assert outcome(application, runs((4.0, 4.1), growth_steps=(80, 160)), "C1") is PASS
    assert outcome(application, runs((4.0, 5.1), growth_steps=(80, 160)), "C1") is FAIL
    assert outcome(application, runs((4.0, None), growth_steps=(80, 160)), "C1") is INCONCLUSIVE


def test_sweeps_are_drawn(tmp_path):
    members = []
    for one in arrhenius(tmp_path, seeds=(1,)):
        times = np.linspace(0, one.case.number("end_time"), 30)
        series = {"time": times.tolist(), "grain_tracker": (100 / (1 + times / times[-1])).tolist()}
        members.append(replace(one, results=Results(one.results.metrics, series)))
    drawn = grain_growth.APPLICATION.sweep_figures(members, tmp_path / "figures")
    assert [one.path.name for one in drawn] == ["arrhenius.png", "growth.png"]
    assert all(one.path.read_bytes().startswith(b"\x89PNG") for one in drawn)
    assert "more runs" not in drawn[1].caption
    # Random starts of one temperature are one group, and all groups up to the twelfth are drawn.
    crowd = [replace(member, files=member.files) for member in members for _ in range(5)]
    assert "more runs" not in grain_growth.APPLICATION.sweep_figures(crowd, tmp_path / "crowd")[1].caption
    assert grain_growth.APPLICATION.sweep_figures([], tmp_path) == []
    assert spinodal.APPLICATION.sweep_figures([], tmp_path) == []
