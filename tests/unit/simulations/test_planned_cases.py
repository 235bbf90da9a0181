"""What is planned can give a result; what cannot is found before anything is computed."""

import math
from typing import Any

import pytest

from towline.errors import InvalidRequest
from towline.operations.simulation_planning import Planned, plan, plan_document, render_input, sweep_cases
from towline.operations.simulation_requests import read_axes, read_params, read_settings
from towline.simulations.application import Origin, Severity
from towline.simulations.moose.building import cells
from towline.simulations.moose.grain_growth.resolution import radius_of, reduced_time_of
from towline.simulations.moose.grain_growth.theory import boundary_of
from towline.simulations.moose.spinodal.theory import mixture_of


def errors(planned: Planned) -> list[str]:
    return [one.check for one in planned.findings if one.severity is Severity.ERROR]


def warnings(planned: Planned) -> list[str]:
    return [one.check for one in planned.findings if one.severity is Severity.WARNING]


@pytest.mark.parametrize("temperature", [300, 450, 600, 750, 800])
@pytest.mark.parametrize("grains", [100, 300])
def test_planned_grain_growth_passes_its_own_preflight(temperature: float, grains: int) -> None:
    planned = plan("grain_growth", {"T": temperature, "n_grains": grains})
    assert not [one for one in planned.findings if one.check != "cost"]
    case, boundary = planned.case, boundary_of(planned.case)
    assert 2 <= (reduced_time_of(case) or 0) <= 10
    assert radius_of(case) / case.number("wGB") >= 2.95
    assert case.number("wGB") * cells(case)[0] / case.number("xmax") >= 4
    assert case.number("dt_start") <= boundary.longest_unique_step
    assert case.number("dtmax") <= case.number("end_time") / 100 * 1.001
    assert case.number("dtmax") <= boundary.settling_time / 4 * 1.001


def test_each_temperature_gets_its_own_end_and_steps() -> None:
    cold, hot = (plan("grain_growth", {"T": t}).case for t in (450, 800))
    ratio = boundary_of(hot).kinetic_coefficient / boundary_of(cold).kinetic_coefficient
    for name in ("end_time", "dt_start", "dtmax"):
        assert cold.number(name) / hot.number(name) == pytest.approx(ratio, rel=1e-4)
    assert cold.number("xmax") == hot.number("xmax")


def test_the_steps_that_made_the_reference_diverge_are_warned_of() -> None:
    planned = plan("grain_growth", {"T": 800, "dt_start": 25})
    (finding,) = [one for one in planned.findings if one.check == "first step"]
    assert "64.2/(L mu)" in finding.message
    better = plan("grain_growth", {"T": 800, **finding.proposal})
    assert "first step" not in warnings(better)


def test_the_defaults_of_the_reference_are_refused_with_what_would_pass() -> None:
    asked: dict[str, Any] = {"n_grains": 20, "xmax": 1000, "ymax": 1000, "nx": 40, "ny": 40, "uniform_refine": 2}
    planned = plan("grain_growth", asked | {"T": 300, "end_time": 4000, "dt_start": 25})
    assert errors(planned) == ["interface cells", "reduced time"]
    proposed = {name: value for one in planned.findings for name, value in one.proposal.items()}
    assert not errors(plan("grain_growth", asked | {"T": 300, "dt_start": 25} | proposed))


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"T": 1400}, "temperature"),
        ({"op_num": 5}, "order parameters"),
        ({"num_grains": 100, "xmax": 400}, "thin interface"),
        ({"nx": 31623, "ny": 31623}, "memory"),
        ({"dim": 3, "num_grains": 100_000}, "memory"),
        ({"end_time": 1}, "reduced time"),
    ],
)
def test_cases_of_grain_growth_that_cannot_give_a_result_are_errors(params: dict[str, Any], error: str) -> None:
    assert error in errors(plan("grain_growth", params))


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"c0": 0.1}, "spinodal range"),
        ({"fe_mode": "FeCr", "c0": 0.3}, "spinodal range"),
        ({"fe_mode": "FeCr", "end_time": 100}, "duration"),
        ({"xmax": 10}, "box"),
        ({"nx": 20}, "cells"),
        ({"fe_mode": "FeCr", "noise": 0.467}, "logarithms"),
    ],
)
def test_cases_of_decomposition_that_cannot_give_a_result_are_errors(params: dict[str, Any], error: str) -> None:
    assert error in errors(plan("spinodal", params))


@pytest.mark.parametrize("params", [{}, {"c0": 0.5}, {"fe_mode": "FeCr"}, {"c0": 0.4}])
def test_planned_decomposition_passes_its_own_preflight(params: dict[str, Any]) -> None:
    planned = plan("spinodal", params)
    assert not planned.findings
    mixture, case = mixture_of(planned.case), planned.case
    assert mixture.growth_rate(case.number("c0")) * case.number("end_time") > 100
    assert case.number("dtmax") < mixture.longest_unique_step
    assert case.number("xmax") / mixture.fastest_wavelength(case.number("c0")) >= 10


def test_a_number_of_steps_alone_ends_the_run_by_steps() -> None:
    planned = plan("spinodal", {"fe_mode": "FeCr", "c0": 0.4677, "num_steps": 50000})
    assert planned.case["time_mode"] == "num_steps"
    assert planned.case.values["time_mode"].origin is Origin.DERIVED
    assert "end_time" not in planned.case.values
    text = render_input(planned)
    assert "num_steps = 50000" in text
    assert "end_time" not in text


@pytest.mark.parametrize("physics", ["grain_growth", "spinodal"])
def test_two_ends_contradict_each_other_unless_one_is_chosen(physics: str) -> None:
    with pytest.raises(InvalidRequest, match="time_mode"):
        plan(physics, {"num_steps": 100, "end_time": 500})
    assert plan(physics, {"num_steps": 100, "end_time": 500, "time_mode": "end_time"}).case["end_time"] == 500


def test_parameters_that_would_have_no_effect_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="kappa would have no effect"):
        plan("spinodal", {"fe_mode": "FeCr", "kappa": 0.5})


def test_a_preset_is_a_beginning_and_unknown_ones_are_refused() -> None:
    assert plan("spinodal", {"c0": 0.5}, preset="FeCr_alloy").case["c0"] == 0.5
    with pytest.raises(InvalidRequest, match="Did you mean '2d_standard'"):
        plan("grain_growth", preset="2d_standart")


def test_a_sweep_is_the_grid_of_its_values_and_seeds() -> None:
    members = sweep_cases("grain_growth", {"n_grains": 100, "T": 400}, {"T": [450, "600 K"]}, seeds=3)
    found = [(one.case["T"], one.case["rand_seed"]) for one in members]
    assert found == [(450, 42), (450, 43), (450, 44), (600, 45), (600, 46), (600, 47)]
    assert members[0].case["end_time"] != members[3].case["end_time"]


def test_runs_that_differ_in_cells_alone_have_the_same_random_starts() -> None:
    members = sweep_cases("grain_growth", {"n_grains": 100}, {"T": [450, 600], "nx": [150, 300]}, seeds=2)
    found = [(one.case["T"], one.case["nx"], one.case["rand_seed"]) for one in members]
    assert found[:4] == [(450, 150, 42), (450, 150, 43), (450, 300, 42), (450, 300, 43)]
    assert {seed for _, _, seed in found[4:]} == {44, 45}


@pytest.mark.parametrize(
    ("sweep", "told"),
    [
        ({"mpi": [1, 2]}, "cannot be swept"),
        ({"n_grains": []}, "no values"),
        ({"T": [1.0] * 101, "rand_seed": list(range(100))}, "too many"),
        ({"T": [450, -3]}, "T is -3"),
        ({}, "no parameter is swept"),
    ],
)
def test_impossible_sweeps_are_refused(sweep: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        sweep_cases("grain_growth", {}, sweep)


def test_parameters_from_the_command_line() -> None:
    assert read_params('{"T": 800}') == {"T": 800}
    assert read_settings(["T=800", "run_name=a=b"]) == {"T": "800", "run_name": "a=b"}
    assert read_axes(["T=450, 600"]) == {"T": ["450", "600"]}
    for text in ("[1]", "{", '{"T": 1, "T": 2}', "[" * 100_000):
        with pytest.raises(InvalidRequest):
            read_params(text)
    for given in (["T"], ["=3"], ["T=1", "T=2"]):
        with pytest.raises(InvalidRequest):
            read_settings(given)
    with pytest.raises(InvalidRequest, match="empty value"):
        read_axes(["T=450,,600"])


def test_growth_of_waves_has_steps_that_do_not_bend_its_rate() -> None:
    case = plan("spinodal", {}).case
    rate = mixture_of(case).growth_rate(case.number("c0"))
    step = 12 / rate / case.number("growth_steps")
    # Implicit Euler multiplies by 1/(1 - rate step) where the solution is multiplied by exp(rate step).
    assert -math.log(1 - rate * step) / (rate * step) < 1.05


def test_what_a_case_costs_follows_its_size() -> None:
    small, large = (plan("spinodal", {"c0": 0.5, "nx": cells, "ny": cells}).cost for cells in (64, 256))
    unknowns = 256 * 256 * 2
    assert large.memory_bytes - small.memory_bytes == pytest.approx((unknowns - unknowns / 16) * 500)
    assert large.processor_seconds > 10 * small.processor_seconds
    # Two nodal fields, the energy and two squares, in 8 bytes each, 25 times.
    assert large.disk_bytes > 25 * 5 * 8 * 256 * 256
    assert "unknowns" in large.work
    assert "within a factor of three" in large.rests_on


@pytest.mark.parametrize("physics", ["grain_growth", "spinodal"])
def test_a_plan_tells_its_cost_however_small_it_is(physics: str) -> None:
    told = plan_document(plan(physics, {"num_steps": 1}))["cost"]
    assert 0 < told["processor_seconds"] < 60
    assert 0 < told["disk_bytes"] < 1e8
