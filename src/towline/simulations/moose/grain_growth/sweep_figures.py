"""Pictures of several runs of grain growth."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from towline.simulations.analysis.regression import finite_pairs
from towline.simulations.application import Figure, Member
from towline.simulations.drawing import Curve, Panel, draw_panels
from towline.simulations.moose.grain_growth.sweep_checks import arrhenius_fit, rates_by_temperature
from towline.simulations.moose.grain_growth.theory import BOLTZMANN, boundary_of
from towline.simulations.moose.run_record import column
from towline.simulations.reports.sweep_report import varied_parameters

#: Curves beyond this would only hide each other.
_MOST_CURVES = 12


def sweep_figures(members: Sequence[Member], into: Path) -> list[Figure]:
    """Draw a sweep; what there is no data for is left out."""
    into.mkdir(parents=True, exist_ok=True)
    drawn = [_arrhenius(members, into), _growth(members, into)]
    return [one for one in drawn if one is not None]


def _arrhenius(members: Sequence[Member], into: Path) -> Figure | None:
    rates = rates_by_temperature(members)
    found = arrhenius_fit(rates)
    if found is None:
        return None
    line, energy, error = found
    points = [(1000 / temperature, rate) for temperature, values in rates.items() for rate in values]
    span = np.array([min(rates), max(rates)])
    inverse = 1 / (BOLTZMANN * span)
    label = f"fit: Q = {energy:.3f}" + (f" ± {error:.3f}" if math.isfinite(error) else "") + " eV"
    curves = [
        Curve([x for x, _ in points], [y for _, y in points], "runs", "points"),
        Curve(1000 / span, np.exp(line.at(inverse)), label, "dashed"),
    ]
    expected = {member.case.number("Q") for member in members}
    if len(expected) == 1:
        # The slope of the input through the middle of the fit.
        q, middle = expected.pop(), float(inverse.mean())
        curves.append(
            Curve(1000 / span, np.exp(line.at(middle) - q * (inverse - middle)), f"input: Q = {q:g} eV", "dotted")
        )
    unit = "d⟨A⟩/dt (nm²/ns)" if "mean_area_rate" in members[0].results.metrics else "growth rate (nm²/ns)"
    path = draw_panels(into / "arrhenius.png", [Panel("1000/T (1/K)", unit, curves, log_y=True)])
    return Figure(path, "Arrhenius plot", "Only rates of runs that were not proved wrong, in a valid window.")


def _growth(members: Sequence[Member], into: Path) -> Figure | None:
    varied = varied_parameters(members)
    plain, scaled = [], []
    for place, member in enumerate(members[:_MOST_CURVES]):
        times, counts = finite_pairs(column(member.results, "time"), column(member.results, "grain_tracker"))
        if not len(times):
            continue
        label = ", ".join(f"{name} = {member.case[name]}" for name in varied) or member.files.folder.name
        plain.append(Curve(times[1:], counts[1:], label, colour=place))
        constant = boundary_of(member.case).kinetic_coefficient
        scaled.append(Curve(times * constant, counts[0] / counts, "", colour=place))
    if not plain:
        return None
    panels = [
        Panel("time (ns)", "number of grains", plain, log_x=True),
        Panel("Mσ t (nm²)", "N(0)/N", scaled, title="in the units of the boundaries"),
    ]
    left_out = f" {len(members) - _MOST_CURVES} more runs are not drawn." if len(members) > _MOST_CURVES else ""
    caption = f"Right: where growth is normal and numerics are sound, all temperatures fall on one curve.{left_out}"
    return Figure(draw_panels(into / "growth.png", panels), "Growth of all runs", caption)
