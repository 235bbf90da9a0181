"""Pictures of grain growth: the grains themselves, how many there are, how fast they grow, what they cost."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from towline.simulations.analysis.regression import finite_pairs
from towline.simulations.application import Case, Figure, Results, RunFiles
from towline.simulations.drawing import (
    Curve,
    Panel,
    Picture,
    Strip,
    draw_animation,
    draw_panels,
    draw_strip,
    patchwork,
)
from towline.simulations.moose.building import dimension_of
from towline.simulations.moose.grain_growth.field_checks import side_rates
from towline.simulations.moose.grain_growth.grains import GrainMap, GrainSizes, maps_of, sizes_of
from towline.simulations.moose.grain_growth.kinetics import kinetics_of
from towline.simulations.moose.grain_growth.theory import boundary_of
from towline.simulations.moose.run_record import column


def figures(case: Case, files: RunFiles, results: Results, into: Path) -> list[Figure]:
    """Draw a run; what it left no data for is left out."""
    into.mkdir(parents=True, exist_ok=True)
    maps = maps_of(case, files)
    drawn = [
        *_grains(maps, results, into),
        _numbers(results, case, into),
        _kinetics(results, case, into),
        _energy(results, case, into),
        _sides(sizes_of(maps), case, into),
    ]
    return [one for one in drawn if one is not None]


def _grains(maps: Sequence[GrainMap], results: Results, into: Path) -> list[Figure]:
    if not maps:
        return []
    pictures = [_picture(one, results) for one in maps]
    middle = min(range(len(maps)), key=lambda place: abs(maps[place].time - (maps[0].time + maps[-1].time) / 2))
    three = [pictures[place] for place in sorted({0, middle, len(maps) - 1})]
    cut = " A cut through the middle of the box, perpendicular to z." if maps[0].grains.ndim == 3 else ""
    caption = f"Each grain has a colour of its own, and keeps it; boundaries are dark.{cut}"
    found = [Figure(draw_strip(into / "microstructure.png", Strip(three, "nm")), "Microstructure", caption)]
    if len(pictures) > 1:
        path = draw_animation(into / "microstructure.gif", Strip(pictures, "nm"))
        told = f"{len(pictures)} snapshots; the time between them may vary."
        found.append(Figure(path, "Microstructure, animated", told))
    return found


def _picture(one: GrainMap, results: Results) -> Picture:
    labels, bounds = one.grains, one.bounds
    if labels.ndim == 3:
        labels, bounds = labels[len(labels) // 2], bounds[len(bounds) // 2]
    # Ση² is 1 in a grain, ½ in the middle of a boundary, 1/3 where three grains meet.
    image = patchwork(labels, np.asarray((bounds - 0.4) / 0.6, dtype=np.float32))
    times, counts = finite_pairs(column(results, "time"), column(results, "grain_tracker"))
    row = int(np.abs(times - one.time).argmin()) if len(times) else 0
    counted = f", {counts[row]:.0f} grains" if len(times) and np.isclose(times[row], one.time) else ""
    return Picture(image, f"t = {one.time:.4g} ns{counted}", (one.box[0], one.box[1]))


def _numbers(results: Results, case: Case, into: Path) -> Figure | None:
    times, counts = finite_pairs(column(results, "time"), column(results, "grain_tracker"))
    kinetics = kinetics_of(case, results)
    if not len(times) or kinetics is None:
        return None
    window = (float(kinetics.times[0]), float(kinetics.times[-1])) if not kinetics.powerless else None
    panel = Panel(
        "time (ns)",
        "number of grains",
        [Curve(times, counts)],
        window=window,
        window_label="window of the fits" if window else "",
    )
    path = draw_panels(into / "grains.png", [panel])
    return Figure(path, "Number of grains", f"From {counts[0]:.0f} to {counts[-1]:.0f} grains.")


def _kinetics(results: Results, case: Case, into: Path) -> Figure | None:
    kinetics = kinetics_of(case, results)
    if kinetics is None or kinetics.line is None:
        return None
    times, counts = finite_pairs(column(results, "time"), column(results, "grain_tracker"))
    power, law = (-1.0, "1/N") if kinetics.dimension == 2 else (-2 / 3, "N$^{-2/3}$")
    line = kinetics.line
    span = np.array([kinetics.times[0], kinetics.times[-1]])
    label = f"fit: {line.slope:.3g} ± {line.slope_error:.1g} per ns" + (
        f", R² = {line.r_squared:.3f}" if math.isfinite(line.r_squared) else ""
    )
    curves = [
        Curve(times, counts**power, "simulation"),
        Curve(kinetics.times, kinetics.sizes, "a point per value of N", "points", 2),
        Curve(span, line.at(span), label, "dashed", 1),
    ]
    path = draw_panels(into / "kinetics.png", [Panel("time (ns)", law, curves)])
    valid = f" Not valid as a rate: {kinetics.powerless}." if kinetics.powerless else ""
    return Figure(path, "Kinetics of growth", f"Normal growth is a straight line.{valid}")


def _energy(results: Results, case: Case, into: Path) -> Figure | None:
    times, energies = finite_pairs(column(results, "time"), column(results, "total_energy"))
    if not len(times):
        return None
    unit = results.units.get("total_energy", "eV")
    curves = [Curve(times, energies, "free energy")]
    lengths = finite_pairs(column(results, "time"), column(results, "gb_length"))
    if len(lengths[0]):
        curves.append(Curve(lengths[0], boundary_of(case).energy * lengths[1], "σ × boundary", "dashed"))
    path = draw_panels(into / "energy.png", [Panel("time (ns)", f"energy ({unit})", curves)])
    caption = "The free energy never rises, and is that of the boundaries once they have settled."
    return Figure(path, "Free energy", caption)


def _sides(sizes: GrainSizes | None, case: Case, into: Path) -> Figure | None:
    if sizes is None or dimension_of(case) != 2:
        return None
    one = boundary_of(case)
    points, grains = side_rates(sizes, one)
    if grains < 3:
        return None
    classes = [value for value in np.unique(points[:, 0]) if (points[:, 0] == value).sum() > 2]
    rates = [points[points[:, 0] == value, 1] for value in classes]
    if not classes:
        return None
    means = [rate.mean() / one.kinetic_coefficient for rate in rates]
    errors = [rate.std(ddof=1) / math.sqrt(len(rate)) / one.kinetic_coefficient for rate in rates]
    sides = np.array(classes) + 6
    curves = [
        Curve(sides, means, "grains with this number of sides", "points", errors=errors),
        Curve(sides, math.pi / 3 * (sides - 6), "(π/3)(n − 6)", "dashed"),
    ]
    panel = Panel("sides of a grain, n", "dA/dt / Mσ", curves)
    caption = f"The law of von Neumann and Mullins; {len(points)} steps of {grains} grains that keep their sides."
    return Figure(draw_panels(into / "sides.png", [panel]), "Growth and sides", caption)
