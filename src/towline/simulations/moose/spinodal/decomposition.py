"""How a mixture decomposed: growth of the first waves, domain sizes, and the phases in the last snapshot."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from towline.simulations.analysis.regression import LineFit, fit_exponential, fit_power
from towline.simulations.application import Case, Results, RunFiles
from towline.simulations.moose.building import dimension_of
from towline.simulations.moose.output_files import UnreadableOutput
from towline.simulations.moose.run_record import column
from towline.simulations.moose.snapshots import Snapshots
from towline.simulations.moose.spinodal import limits
from towline.simulations.moose.spinodal.theory import Mixture

Array = NDArray[np.float64]
_BINS = 200


@dataclass(frozen=True)
class Window:
    """Rows in which something holds, and the fit through them."""

    rows: tuple[int, int]
    fit: LineFit | None
    #: Why nothing can be told; empty if something can.
    powerless: str


@dataclass(frozen=True)
class Phases:
    """Two phases in a snapshot."""

    time: float
    low: float
    high: float
    #: Share of the box that lies above the middle of the two.
    share: float


def box_volume(case: Case) -> float:
    """Area, or volume, of the box."""
    return math.prod(case.number(f"{axis}max") for axis in "xyz"[: dimension_of(case)])


def variance(results: Results) -> Array:
    """Return the variance of c per row; empty if the table does not tell it."""
    squares, means = column(results, "c_squared"), column(results, "c_average")
    return np.asarray(squares - means**2) if len(squares) and len(means) else np.array([])


def spread(results: Results) -> Array:
    """Return c_max − c_min per row; empty if the table does not tell it."""
    high, low = column(results, "c_max"), column(results, "c_min")
    return np.asarray(high - low) if len(high) and len(low) else np.array([])


def decomposed_row(results: Results, mixture: Mixture) -> int | None:
    """Return the first row in which c spans most of the distance of the phases; None if none does."""
    low, high = mixture.binodal
    rows = np.flatnonzero(spread(results) >= limits.DECOMPOSED * (high - low))
    return int(rows[0]) if len(rows) else None


def early_growth(results: Results, mixture: Mixture) -> Window:
    """Fit the growth of the variance, ``exp(2ωt)``, where it is linear.

    The noise first loses its short waves: growth counts from the smallest variance, and of it the later half (in
    e-folds), in which the fastest wave has outgrown the others.
    """
    values, times = variance(results), column(results, "time")
    if len(values) < 3 or not np.isfinite(values).any():
        return Window((0, 0), None, "the table has no columns c_squared and c_average")
    low, high = mixture.binodal
    start = int(np.nanargmin(np.where(values > 0, values, np.nan)))
    beyond = np.flatnonzero(values[start:] >= (limits.LINEAR_DEVIATION * (high - low)) ** 2)
    end = start + (int(beyond[0]) - 1 if len(beyond) else len(values) - 1 - start)
    if end <= start or values[start] <= 0 or values[end] <= values[start]:
        return Window((start, max(start, end)), None, "the variance of c does not grow")
    folds = math.log(values[end] / values[start])
    if folds < limits.FEWEST_E_FOLDS:
        reason = f"the variance grows by {folds:.2g} e-folds only, {limits.FEWEST_E_FOLDS:g} are needed"
        return Window((start, end), None, reason)
    later = np.flatnonzero(values[start : end + 1] >= math.sqrt(values[start] * values[end])) + start
    if len(later) < 4:
        return Window((start, end), None, f"only {len(later)} rows lie in the growth of the waves: steps are too long")
    return Window((int(later[0]), end), fit_exponential(times[later], values[later]), "")


def domain_sizes(case: Case, results: Results) -> Array:
    """Return the size L of the domains per row: volume over interface; a lamella of both phases is 2L wide."""
    lengths = column(results, "interface_length")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(lengths > 0, box_volume(case) / lengths, np.nan))


def waves_in_box(case: Case, sizes: Array) -> Array:
    """Return how many waves of length 2L fill the box."""
    return np.asarray(box_volume(case) / (2 * sizes) ** dimension_of(case))


def coarsening(case: Case, results: Results, mixture: Mixture) -> Window:
    """Fit ``L ∝ t^p`` from twice the time at which the domains were smallest until too few of them are left."""
    sizes, times = domain_sizes(case, results), column(results, "time")
    if not len(sizes):
        return Window((0, 0), None, "the table has no column interface_length")
    first = decomposed_row(results, mixture)
    if first is None:
        return Window((0, len(times) - 1), None, "the mixture did not decompose")
    if not np.isfinite(sizes[first:]).any():
        return Window((first, len(times) - 1), None, "the column interface_length has no numbers")
    smallest = first + int(np.nanargmin(sizes[first:]))
    after = np.flatnonzero((times >= 2 * times[smallest]) & np.isfinite(sizes))
    if len(after) < 5:
        return Window((first, len(times) - 1), None, "the run ends before the domains coarsen")
    many = after[waves_in_box(case, sizes[after]) >= limits.FEWEST_DOMAINS]
    whole = (int(after[0]), int(after[-1]))
    if len(many) < 5:
        waves = float(waves_in_box(case, sizes[after[:1]])[0])
        reason = f"the box holds only {waves:.0f} domains when coarsening begins, {limits.FEWEST_DOMAINS:g} are needed"
        return Window(whole, fit_power(times[after], sizes[after]), reason)
    decades = math.log10(times[many[-1]] / times[many[0]])
    if decades < limits.FEWEST_DECADES:
        reason = (
            f"the domains coarsen over {decades:.2f} decades of time before fewer than {limits.FEWEST_DOMAINS:g}"
            f" are left, {limits.FEWEST_DECADES:g} is needed: a larger box, or a longer run"
        )
        return Window(whole, fit_power(times[after], sizes[after]), reason)
    return Window((int(many[0]), int(many[-1])), fit_power(times[many], sizes[many]), "")


def last_phases(files: RunFiles, mixture: Mixture) -> Phases | None:
    """Return the phases in the last snapshot: the most frequent compositions on both sides of the middle.

    None if there is no snapshot that can be read, or nothing on one side.
    """
    if files.exodus is None:
        return None
    try:
        with Snapshots(files.exodus) as snapshots:
            if not len(snapshots) or "c" not in snapshots.names:
                return None
            values, time = snapshots.field("c", len(snapshots) - 1), float(snapshots.times[-1])
    except UnreadableOutput:
        return None
    values = values[np.isfinite(values)]
    middle = sum(mixture.binodal) / 2
    below, above = values[values < middle], values[values >= middle]
    if len(below) < 20 or len(above) < 20:
        return None
    return Phases(time, _mode(below), _mode(above), len(above) / len(values))


def flat_phases(phases: Phases, results: Results, mixture: Mixture) -> tuple[float, float] | None:
    """Return what the phases would be between flat interfaces; None where the chemical potential is not known.

    Curved interfaces raise the chemical potential (Gibbs and Thomson), and each phase follows it by ``Δw/f″``. The
    excess ``Δw`` is that of the run, so neither a radius nor an energy of the interfaces is assumed.
    """
    potentials, times = column(results, "w_average"), column(results, "time")
    rows = np.flatnonzero(np.isfinite(potentials)) if len(potentials) else np.array([], dtype=int)
    if not len(rows):
        return None
    low, high = mixture.binodal
    excess = float(np.interp(phases.time, times[rows], potentials[rows])) - float(mixture.slope(np.asarray(low)))
    shifts = [excess / mixture.curvature_at(min(max(one, 1e-9), 1 - 1e-9)) for one in (low, high)]
    return phases.low - shifts[0], phases.high - shifts[1]


def _mode(values: Array) -> float:
    """Return where most of the values lie: the median of the largest of smoothed bins and its neighbours."""
    counts, edges = np.histogram(values, bins=_BINS)
    smooth = np.convolve(counts, [1, 2, 3, 2, 1], mode="same")
    place = int(smooth.argmax())
    near = (values >= edges[max(0, place - 2)]) & (values <= edges[min(_BINS, place + 3)])
    return float(np.median(values[near]))
