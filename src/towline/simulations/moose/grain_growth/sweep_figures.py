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

#: Groups of curves beyond this would only hide each other.
_MOST_GROUPS = 12


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
    groups = _grouped(members)
    plain, scaled = [], []
    for colour, (name, runs) in enumerate(list(groups.items())[:_MOST_GROUPS]):
        label = name
        for member in runs:
            times, counts = finite_pairs(column(member.results, "time"), column(member.results, "grain_tracker"))
            if not len(times):
                continue
            plain.append(Curve(times[1:], counts[1:], label, colour=colour))
            constant = boundary_of(member.case).kinetic_coefficient
            scaled.append(Curve(times * constant, counts[0] / counts, "", colour=colour))
            label = ""  # one line in the legend for all random starts
    if not plain:
        return None
    panels = [
        Panel("time (ns)", "number of grains", plain, log_x=True),
        Panel("Mσ t (nm²)", "N(0)/N", scaled, title="in the units of the boundaries"),
    ]
    left_out = sum(len(runs) for runs in list(groups.values())[_MOST_GROUPS:])
    caption = "Right: where growth is normal and numerics are sound, all temperatures fall on one curve."
    if left_out:
        caption += f" {left_out} more runs are not drawn."
    return Figure(draw_panels(into / "growth.png", panels), "Growth of all runs", caption)


def _grouped(members: Sequence[Member]) -> dict[str, list[Member]]:
    """The runs by what they vary; random starts of the same are together, unless nothing else varies."""
    varied = varied_parameters(members)
    names = [name for name in varied if name != "rand_seed"] or varied
    groups: dict[str, list[Member]] = {}
    for member in members:
        values = (member.case[name] for name in names)
        told = [value if isinstance(value, str) else f"{value:g}" for value in values]
        label = ", ".join(f"{name} = {value}" for name, value in zip(names, told, strict=True))
        groups.setdefault(label or member.files.folder.name, []).append(member)
    return groups
