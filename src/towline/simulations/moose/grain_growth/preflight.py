"""What keeps a case of grain growth from showing kinetics, found before anything is computed."""

import math

from towline.simulations.application import Case, Cost, Finding, Severity
from towline.simulations.moose.building import cell_lengths, dimension_of
from towline.simulations.moose.cost import cost_findings, cost_of
from towline.simulations.moose.grain_growth.resolution import (
    CELLS_PER_WIDTH,
    FIRST_STEP,
    LARGEST_STEP,
    RADIUS_PER_WIDTH,
    STEPS,
    grains_at,
    planned_reduced_time,
    radius_of,
    reduced_time_of,
)
from towline.simulations.moose.grain_growth.theory import boundary_of

#: Melting point of copper in K (CRC Handbook of Chemistry and Physics).
COPPER_MELTS_AT_K = 1357.77
_COPPER = {"GBmob0": 2.5e-6, "Q": 0.23, "GBenergy": 0.708}


def preflight(case: Case) -> list[Finding]:
    """Everything that is wrong with a case, errors first."""
    found = [
        *_temperature(case),
        *_interface(case),
        *_thinness(case),
        *_first_state(case),
        *_order_parameters(case),
        *_steps(case),
        *_kinetics(case),
        *cost_findings(case, variables=int(case.number("op_num")), steps=expected_steps(case)),
    ]
    return sorted(found, key=lambda one: list(Severity).index(one.severity))


def cost(case: Case) -> Cost:
    """What a run takes, about."""
    return cost_of(
        case, variables=int(case.number("op_num")), fields=int(case.number("op_num")) + 6, steps=expected_steps(case)
    )


def expected_steps(case: Case) -> float:
    """How many steps a case will take, about."""
    if case["time_mode"] == "num_steps":
        return case.number("num_steps")
    return case.number("end_time") / case.number("dtmax") + 10


def _temperature(case: Case) -> list[Finding]:
    is_copper = all(case[name] == value for name, value in _COPPER.items())
    if is_copper and case.number("T") >= COPPER_MELTS_AT_K:
        text = (
            f"T is {case.number('T'):g} K; the boundaries are those of copper, which melts at {COPPER_MELTS_AT_K:g} K"
        )
        return [Finding("temperature", Severity.ERROR, text)]
    return []


def _interface(case: Case) -> list[Finding]:
    width, longest = case.number("wGB"), max(cell_lengths(case))
    ratio = width / longest
    halvings = 2 ** int(case.number("uniform_refine"))
    finer = {
        f"n{axis}": math.ceil(case.number(f"{axis}max") * CELLS_PER_WIDTH / (width * halvings))
        for axis in "xyz"[: dimension_of(case)]
    }
    text = f"a boundary of wGB = {width:g} nm has {ratio:.2g} cells of {longest:.3g} nm"
    if ratio < 3:
        text += f"; at least 3 are needed, better {CELLS_PER_WIDTH:g}"
        return [Finding("interface cells", Severity.ERROR, text, finer)]
    if ratio < CELLS_PER_WIDTH * (1 - 1e-6):
        text += f"; {CELLS_PER_WIDTH:g} or more give its energy within a percent"
        return [Finding("interface cells", Severity.WARNING, text, finer)]
    return []


def _thinness(case: Case) -> list[Finding]:
    radius, width = radius_of(case), case.number("wGB")
    ratio = radius / width
    # What is proposed keeps 1 % of room for boxes of whole nanometres.
    proposal = {"wGB": float(f"{radius / RADIUS_PER_WIDTH:.3g}")}
    text = f"the first mean radius of the grains is {radius:.3g} nm, {ratio:.2g} times wGB"
    if ratio < 2:
        text += f"; at least 2, better {RADIUS_PER_WIDTH:g}: a larger box, or"
        return [Finding("thin interface", Severity.ERROR, text, proposal)]
    if ratio < RADIUS_PER_WIDTH * 0.99:
        advice = f"below {RADIUS_PER_WIDTH:g} the boundaries feel each other: a larger box, or"
        return [Finding("thin interface", Severity.WARNING, f"{text}; {advice}", proposal)]
    return []


def _first_state(case: Case) -> list[Finding]:
    if case["ic_type"] != "Voronoi":
        return []
    longest = max(cell_lengths(case))
    if case.number("int_width") < 2 * longest * (1 - 1e-3):
        text = f"int_width is {case.number('int_width'):g} nm, below two cells of {longest:.3g} nm"
        return [Finding("first state", Severity.WARNING, text, {"int_width": float(f"{2 * longest:.4g}")})]
    return []


def _order_parameters(case: Case) -> list[Finding]:
    usual = 8 if dimension_of(case) == 2 else 25
    needed = min(usual, int(case.number("num_grains"))) if case["ic_type"] == "Voronoi" else usual
    if case.number("op_num") < needed:
        text = f"op_num is {case['op_num']}; without {needed} of them, neighbours would share one"
        return [Finding("order parameters", Severity.ERROR, text, {"op_num": needed})]
    return []


def _steps(case: Case) -> list[Finding]:
    found = []
    limit = boundary_of(case).longest_unique_step
    ratio = case.number("dt_start") / limit
    if ratio > 1:
        text = f"the first step of {case.number('dt_start'):.4g} ns is {ratio:.3g}/(L mu); up to 1 it has one solution"
        found.append(Finding("first step", Severity.WARNING, text, {"dt_start": float(f"{FIRST_STEP * limit:.4g}")}))
    if case["time_mode"] == "end_time" and case.number("dtmax") > case.number("end_time") / 50:
        text = f"steps of up to {case.number('dtmax'):.4g} ns leave fewer than 50 of them"
        largest = min(LARGEST_STEP * limit, case.number("end_time") / STEPS)
        proposal = {"dtmax": float(f"{largest:.4g}")}
        found.append(Finding("longest step", Severity.WARNING, text, proposal))
    return found


def _kinetics(case: Case) -> list[Finding]:
    reduced = reduced_time_of(case)
    if reduced is None:
        return []
    dimension, grains = dimension_of(case), case.number("num_grains")
    left = grains_at(reduced, grains, dimension)
    end = case.number("end_time") / reduced * planned_reduced_time(dimension)
    proposal = {"end_time": float(f"{end:.4g}")}
    text = f"the reduced time at the end is {reduced:.2g}, when about {left:.0f} of {grains:g} grains are left"
    if reduced < 0.3:
        return [Finding("reduced time", Severity.ERROR, f"{text}: nothing happens before 0.3", proposal)]
    found = []
    if not 2 <= reduced <= 10:
        found.append(Finding("reduced time", Severity.WARNING, f"{text}; kinetics need 2 to 10", proposal))
    if left < 29:
        more = {"num_grains": 100 if grains < 100 else 300}
        found.append(Finding("grains", Severity.WARNING, f"{text}; fewer than 30 are no statistics", more))
    return found
