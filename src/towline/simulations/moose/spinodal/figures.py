"""Pictures of spinodal decomposition: the mixture, its energy and mass, its first waves, its domains and phases."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from towline.simulations.analysis.regression import finite_pairs
from towline.simulations.analysis.structure_factor import structure_factor
from towline.simulations.application import Case, Figure, Results, RunFiles
from towline.simulations.drawing import (
    Curve,
    Panel,
    Picture,
    Scale,
    Strip,
    draw_animation,
    draw_panels,
    draw_strip,
)
from towline.simulations.moose.output_files import UnreadableOutput
from towline.simulations.moose.run_record import column
from towline.simulations.moose.snapshots import Snapshots
from towline.simulations.moose.spinodal.decomposition import (
    coarsening,
    domain_sizes,
    early_growth,
    variance,
)
from towline.simulations.moose.spinodal.theory import Mixture, mixture_of

Array = NDArray[np.float64]
_MOST_FRAMES = 40


@dataclass(frozen=True)
class _Field:
    time: float
    values: Array
    spacings: tuple[float, ...]


def figures(case: Case, files: RunFiles, results: Results, into: Path) -> list[Figure]:
    """Draw a run; what it left no data for is left out."""
    into.mkdir(parents=True, exist_ok=True)
    mixture, fields = mixture_of(case), _fields(files)
    drawn = [
        *_microstructure(fields, mixture, into),
        _energy_and_mass(results, mixture, into),
        _first_waves(results, mixture, into),
        _domains(case, results, mixture, into),
        _phases(fields, mixture, into),
        _structure(fields, mixture, into),
    ]
    return [one for one in drawn if one is not None]


def _fields(files: RunFiles) -> list[_Field]:
    if files.exodus is None:
        return []
    try:
        with Snapshots(files.exodus) as snapshots:
            if "c" not in snapshots.names or not len(snapshots):
                return []
            count = len(snapshots)
            chosen = np.unique(np.linspace(0, count - 1, min(_MOST_FRAMES, count)).round().astype(int))
            return [
                _Field(float(snapshots.times[one]), snapshots.field("c", int(one)), snapshots.grid(int(one)).spacings)
                for one in chosen
            ]
    except UnreadableOutput:
        return []


def _three(fields: Sequence[_Field]) -> list[_Field]:
    """The first snapshot, one in the middle of the decomposition, and the last one.

    Most of the time is coarsening: the middle is that of the logarithm of time.
    """
    if len(fields) < 3:
        return list(fields)
    wanted = np.sqrt(max(fields[1].time, 1e-300) * fields[-1].time)
    middle = min(range(1, len(fields) - 1), key=lambda place: abs(np.log(fields[place].time / wanted)))
    return [fields[0], fields[middle], fields[-1]]


def _microstructure(fields: Sequence[_Field], mixture: Mixture, into: Path) -> list[Figure]:
    if not fields:
        return []
    low, high = mixture.binodal
    label = "mole fraction of Cr" if mixture.logarithmic else "c"
    scale, unit = Scale(low, high, label), mixture.units[0]
    pictures = {id(one): _picture(one, mixture) for one in fields}
    strip = Strip([pictures[id(one)] for one in _three(fields)], unit, scale)
    cut = " A cut through the middle of the box, perpendicular to z." if fields[0].values.ndim == 3 else ""
    caption = f"Composition, from one phase to the other of the common tangent.{cut}"
    found = [Figure(draw_strip(into / "microstructure.png", strip), "Microstructure", caption)]
    if len(fields) > 1:
        path = draw_animation(into / "microstructure.gif", Strip(list(pictures.values()), unit, scale))
        told = f"{len(fields)} snapshots; the time between them may vary."
        found.append(Figure(path, "Microstructure, animated", told))
    return found


def _picture(one: _Field, mixture: Mixture) -> Picture:
    values = one.values if one.values.ndim == 2 else one.values[len(one.values) // 2]
    size = (values.shape[1] * one.spacings[0], values.shape[0] * one.spacings[1])
    return Picture(values, f"t = {one.time:.4g} {mixture.units[1]}".rstrip(), size)


def _named(quantity: str, unit: str) -> str:
    return f"{quantity} ({unit})" if unit else quantity


def _energy_and_mass(results: Results, mixture: Mixture, into: Path) -> Figure | None:
    times = column(results, "time")
    if not {"total_energy", "total_c"} <= set(results.series):
        return None
    energy, mass = (finite_pairs(times, column(results, name)) for name in ("total_energy", "total_c"))
    if not len(energy[0]) or not len(mass[0]):
        return None
    positive = energy[0] > 0
    label = _named("time", mixture.units[1])
    panels = [
        Panel(
            label,
            _named("free energy", results.units.get("total_energy", "")),
            [Curve(energy[0][positive], energy[1][positive])],
            log_x=True,
        ),
        Panel(label, "∫c / ∫c(0) − 1", [Curve(mass[0], mass[1] / mass[1][0] - 1)]),
    ]
    caption = "The free energy never rises, and mass is conserved but for rounding and the tolerance of the solver."
    return Figure(draw_panels(into / "energy.png", panels), "Free energy and mass", caption)


def _first_waves(results: Results, mixture: Mixture, into: Path) -> Figure | None:
    window = early_growth(results, mixture)
    if window.fit is None:
        return None
    times, values = finite_pairs(column(results, "time"), variance(results))
    first, last = column(results, "time")[list(window.rows)]
    span, middle = np.array([first, last]), (first + last) / 2
    shown = (times <= 3 * last) & (values > 0)
    mean = column(results, "c_average")[0]
    theory = np.exp(window.fit.at(middle) + 2 * mixture.growth_rate(float(mean)) * (span - middle))
    curves = [
        Curve(times[shown], values[shown], "simulation"),
        Curve(span, np.exp(window.fit.at(span)), f"fit: ω = {window.fit.slope / 2:.4g}", "dashed"),
        Curve(span, theory, f"fastest wave: ω = {mixture.growth_rate(float(mean)):.4g}", "dotted"),
    ]
    panel = Panel(_named("time", mixture.units[1]), "variance of c", curves, log_y=True)
    caption = "While waves are small their variance grows as exp(2ωt); the slope is to be compared, not the height."
    return Figure(draw_panels(into / "first_waves.png", [panel]), "Growth of the first waves", caption)


def _domains(case: Case, results: Results, mixture: Mixture, into: Path) -> Figure | None:
    sizes = domain_sizes(case, results)
    window = coarsening(case, results, mixture)
    if not len(sizes) or window.fit is None:
        return None
    times = column(results, "time")
    rows = np.flatnonzero((times > 0) & np.isfinite(sizes) & (times >= times[window.rows[0]] / 3))
    span = times[list(window.rows)]
    middle = float(np.sqrt(span[0] * span[1]))
    third = np.exp(window.fit.at(np.log(middle))) * (span / middle) ** (1 / 3)
    curves = [
        Curve(times[rows], sizes[rows], "simulation"),
        Curve(span, np.exp(window.fit.at(np.log(span))), f"fit: L ∝ t^{window.fit.slope:.3f}", "dashed"),
        Curve(span, third, "L ∝ t^(1/3)", "dotted"),
    ]
    labels = _named("time", mixture.units[1]), _named("domain size L", mixture.units[0])
    path = draw_panels(into / "domains.png", [Panel(*labels, curves, log_x=True, log_y=True)])
    valid = f" Not valid as an exponent: {window.powerless}." if window.powerless else ""
    return Figure(path, "Domain size", f"Volume of the box over its interface.{valid}")


def _phases(fields: Sequence[_Field], mixture: Mixture, into: Path) -> Figure | None:
    if not fields:
        return None
    low, high = mixture.binodal
    margin = 0.1 * (high - low)
    edges = np.linspace(low - margin, high + margin, 121)
    curves = []
    for one in _three(fields)[1:]:
        counts, _ = np.histogram(one.values, bins=edges, density=True)
        label = f"t = {one.time:.4g} {mixture.units[1]}".rstrip()
        curves.append(Curve((edges[1:] + edges[:-1]) / 2, counts, label))
    top = max((float(np.max(np.asarray(curve.y))) for curve in curves), default=1.0)
    for place, value in enumerate((low, high)):
        curves.append(Curve([value, value], [0, top], "common tangent" if not place else "", "dotted", 6))
    label = "mole fraction of Cr" if mixture.logarithmic else "c"
    path = draw_panels(into / "phases.png", [Panel(label, "share of the box per unit of c", curves)])
    return Figure(path, "Compositions", "The maxima are the phases; in between lie the interfaces.")


def _structure(fields: Sequence[_Field], mixture: Mixture, into: Path) -> Figure | None:
    if len(fields) < 2:
        return None
    curves = []
    for one in _three(fields)[-2:]:
        found = structure_factor(one.values, one.spacings)
        label = (
            f"t = {one.time:.4g} {mixture.units[1]}".rstrip() + f", 2π/⟨k⟩ = {found.wavelength:.3g} {mixture.units[0]}"
        )
        kept = found.wave_numbers < 4 * found.first_moment
        curves.append(Curve(found.wave_numbers[kept], found.values[kept], label.rstrip(), "both"))
    unit = f"1/{mixture.units[0]}" if mixture.units[0] else ""
    path = draw_panels(into / "structure_factor.png", [Panel(_named("wave number k", unit), "S(k)", curves)])
    return Figure(
        path, "Structure factor", "Averaged over directions; as domains coarsen the maximum moves to long waves."
    )
