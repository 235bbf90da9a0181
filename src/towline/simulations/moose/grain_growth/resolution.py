"""From what was stated to a case of grain growth that can show kinetics.

The lengths follow from the width w of the boundaries, which has to be small against the grains and large against the
cells; the times follow from the velocity M σ / R of the boundaries, so each temperature has its own.
"""

import math
from collections.abc import Mapping

from towline.errors import InvalidRequest
from towline.simulations.application import Case, Value
from towline.simulations.moose.building import derive_cells
from towline.simulations.moose.grain_growth.parameters import PARAMETERS
from towline.simulations.moose.grain_growth.theory import boundary, boundary_of, mean_radius, reduced_time
from towline.simulations.resolving import Resolution

#: Mean radius of the first grains over the width of their boundaries: thinner ones would be better, and the cost of a
#: run goes with the fourth power. When rates are measured, from a loss of a fifth on, grains are larger already.
RADIUS_PER_WIDTH = 3.0
#: Cells per width of a boundary: 4 give its energy within a percent, 3 its velocity within a few.
CELLS_PER_WIDTH = 4.0
#: First step times L μ; an implicit step has one solution only below 1.
FIRST_STEP = 0.5
#: Largest step times L μ, a quarter of the time in which a boundary settles. With BDF2 even twice as long ones keep the
#: length of all boundaries within 0.05 %, but each takes more than twice the iterations.
LARGEST_STEP = 2.0
#: Steps that the run has at least.
STEPS = 100
#: Share of the grains that is left at the end: kinetics are measured from a loss of a fifth to a loss of a half.
SHARE_LEFT = 0.4
#: Loss of grains in the reduced time τ, N ≈ N0/(1 + βτ) in 2-D: an estimate, for planning only.
BETA = 0.31
#: nm²/ns; a grain of a nanometre would take longer than the universe is old.
_NOTHING_MOVES = 1e-30
_AXES = "xyz"


def resolve(stated: Mapping[str, Value]) -> Case:
    """A case of grain growth from checked values.

    Raises
    ------
    InvalidRequest
        The end is stated as a time and as a number of steps, and nothing says which one counts.
    """
    values = Resolution(PARAMETERS, stated)
    _choose_end(values)
    dimension = int(values.number("dim"))
    _choose_box(values, dimension)
    _choose_cells(values, dimension)
    _choose_order_parameters(values, dimension)
    _choose_times(values, dimension)
    return values.case("grain_growth", unused=_unused(values, dimension))


def _choose_end(values: Resolution) -> None:
    if values.is_stated("time_mode"):
        return
    if values.is_stated("end_time") and values.is_stated("num_steps"):
        raise InvalidRequest(
            f"end_time is {values.number('end_time'):g} ns and num_steps is {values['num_steps']}: "
            "leave one of them out, or say which one counts with time_mode=end_time or time_mode=num_steps"
        )
    if values.is_stated("num_steps"):
        values.derive("time_mode", "num_steps", "num_steps is stated and end_time is not")


def _choose_box(values: Resolution, dimension: int) -> None:
    names = [f"{axis}max" for axis in _AXES[:dimension]]
    stated = [values.number(name) for name in names if values.is_stated(name)]
    if stated:
        for name in names:
            values.derive(name, stated[0], "as long as the side that is stated")
        return
    radius = RADIUS_PER_WIDTH * values.number("wGB")
    grains = values.number("num_grains")
    if dimension == 2:
        side, formula = radius * math.sqrt(math.pi * grains), "sqrt(pi N) R"
    else:
        side, formula = radius * (4 * math.pi * grains / 3) ** (1 / 3), "(4 pi N / 3)^(1/3) R"
    rounded = float(round(side)) if side >= 100 else side
    for name in names:
        values.derive(name, rounded, f"{formula}, R = {RADIUS_PER_WIDTH:g} wGB being the first mean radius")


def _choose_cells(values: Resolution, dimension: int) -> None:
    halvings = 2 ** int(values.number("uniform_refine"))
    finest = values.number("wGB") / CELLS_PER_WIDTH
    derive_cells(values, dimension, finest * halvings, f"{CELLS_PER_WIDTH:g} cells per wGB after refinement")
    cell = values.number("xmax") / (values.number("nx") * halvings)
    width = max(values.number("wGB") / 2, 2 * cell)
    values.derive("int_width", width, "half of wGB, at least 2 cells")


def _choose_order_parameters(values: Resolution, dimension: int) -> None:
    usual = 8 if dimension == 2 else 25
    count = min(usual, int(values.number("num_grains"))) if values["ic_type"] == "Voronoi" else usual
    values.derive("op_num", count, f"{usual} are enough in {dimension}-D, or as many as grains")


def _choose_times(values: Resolution, dimension: int) -> None:
    kinetics = boundary(
        values.number("T"),
        width=values.number("wGB"),
        prefactor=values.number("GBmob0"),
        activation_energy=values.number("Q"),
        energy=values.number("GBenergy"),
    )
    if not kinetics.kinetic_coefficient > _NOTHING_MOVES:
        raise InvalidRequest(
            f"at T = {values.number('T'):g} K with Q = {values.number('Q'):g} eV the boundaries move by "
            f"{kinetics.kinetic_coefficient:.3g} nm^2/ns: nothing happens in any time that can be simulated"
        )
    first, largest = FIRST_STEP * kinetics.longest_unique_step, LARGEST_STEP * kinetics.longest_unique_step
    if values["time_mode"] == "num_steps":
        values.derive("num_steps", STEPS, "enough to see kinetics")
        values.derive("dt_start", first, "0.5 / (L mu)")
        values.derive("dtmax", largest, f"{LARGEST_STEP:g} / (L mu)")
    else:
        volume = math.prod(values.number(f"{axis}max") for axis in _AXES[:dimension])
        grains = values.number("num_grains")
        reduced = planned_reduced_time(dimension)
        end = reduced * mean_radius(volume, grains, dimension) ** 2 / kinetics.kinetic_coefficient
        values.derive("end_time", end, f"reduced time {reduced:.2g}: M sigma t / R^2, R the first mean radius")
        shortest = values.number("end_time") / STEPS
        values.derive("dt_start", min(first, shortest), "0.5 / (L mu)")
        values.derive("dtmax", min(largest, shortest), f"{LARGEST_STEP:g} / (L mu), at most end_time / {STEPS}")
    values.derive("dtmin", values.number("dt_start") * 1e-4, "dt_start / 10 000")
    values.derive("exodus_interval", _exodus_interval(values), "about 25 snapshots")


def _exodus_interval(values: Resolution) -> int:
    if values["time_mode"] == "num_steps":
        steps = values.number("num_steps")
    else:
        steps = values.number("end_time") / values.number("dtmax")
    return max(1, round(steps / 25))


def planned_reduced_time(dimension: int) -> float:
    """Reduced time after which the planned share of the grains is left."""
    return float(f"{(SHARE_LEFT ** (-2 / dimension) - 1) / BETA:.3g}")


def grains_at(reduced: float, grains: float, dimension: int) -> float:
    """How many of `grains` are left after a reduced time, as an estimate."""
    return float(grains * (1 + BETA * reduced) ** (-dimension / 2))


def radius_of(case: Case) -> float:
    """Mean radius in nm of the first grains."""
    dimension = int(case.number("dim"))
    volume = math.prod(case.number(f"{axis}max") for axis in _AXES[:dimension])
    return mean_radius(volume, case.number("num_grains"), dimension)


def reduced_time_of(case: Case) -> float | None:
    """``τ`` at the end of the run; None when the end is a number of steps."""
    if case["time_mode"] != "end_time":
        return None
    return reduced_time(boundary_of(case), case.number("end_time"), radius_of(case))


def _unused(values: Resolution, dimension: int) -> list[str]:
    names = ["end_time"] if values["time_mode"] == "num_steps" else ["num_steps"]
    if dimension == 2:
        names += ["zmax", "nz", "periodic_z"]
    if not values["use_adaptivity"]:
        names += ["initial_adaptivity", "refine_fraction", "coarsen_fraction", "max_h_level"]
    if not values["use_terminator"]:
        names += ["terminator_threshold"]
    if values["ic_type"] == "Random":
        names += ["coloring_algorithm", "int_width"]
    return names
