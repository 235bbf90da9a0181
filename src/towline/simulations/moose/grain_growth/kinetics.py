"""How fast grains grow: the window in which the law of normal growth can be asked for, and the fits in it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from towline.simulations.analysis.regression import GrowthFit, LineFit, curvature_of, fit_growth, fit_line
from towline.simulations.application import Case, Results
from towline.simulations.moose.grain_growth import limits
from towline.simulations.moose.grain_growth.theory import Boundary, boundary_of, mean_radius
from towline.simulations.moose.run_record import column

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Kinetics:
    """The growth of one run.

    A point is one value of N, at the mean time at which it was seen: the rows between two losses of grains say nothing
    new, and steps of different length must not weigh differently.
    """

    #: First and last row.
    rows: tuple[int, int]
    times: Array
    counts: Array
    #: N at the beginning of the run.
    start: float
    #: Sides of the box, in nm.
    box: tuple[float, ...]
    #: Why nothing can be told; empty if something can.
    powerless: str

    @property
    def dimension(self) -> int:
        """Dimensions of the box."""
        return len(self.box)

    @property
    def volume(self) -> float:
        """Area of the box in nm², or its volume in nm³."""
        return math.prod(self.box)

    @property
    def sizes(self) -> Array:
        """What is linear in time: 1/N in two dimensions, N^(−2/3) in three."""
        return np.asarray(self.counts ** (-1.0 if self.dimension == 2 else -2 / 3))

    @property
    def radii(self) -> Array:
        """Mean radii, in nm."""
        return np.array([mean_radius(self.volume, count, self.dimension) for count in self.counts])

    @property
    def losses(self) -> float:
        """Grains that are lost in the window."""
        return float(self.counts[0] - self.counts[-1])

    @property
    def line(self) -> LineFit | None:
        """The straight line through `sizes`."""
        return fit_line(self.times, self.sizes)

    @property
    def bend(self) -> float:
        """Slope of the second half over that of the first half."""
        return curvature_of(self.times, self.sizes)

    @property
    def growth(self) -> GrowthFit | None:
        """The law of growth with a free exponent."""
        return fit_growth(self.times, self.radii)

    def size_rate(self, slope: float) -> float:
        """d⟨A⟩/dt in two dimensions, d⟨R²⟩/dt in three, in nm²/ns, from the slope of `line`."""
        if self.dimension == 2:
            return slope * self.volume
        return slope * math.pow(3 * self.volume / (4 * math.pi), 2 / 3)


def box_of(case: Case) -> tuple[float, ...]:
    """Sides of the box in nm, one per dimension."""
    return tuple(case.number(f"{axis}max") for axis in "xyz"[: int(case.number("dim"))])


def kinetics_of(case: Case, results: Results) -> Kinetics | None:
    """Return the growth of a run; None if its grains were not counted."""
    times, counts = column(results, "time"), column(results, "grain_tracker")
    if not len(counts):
        return None
    seen = np.flatnonzero(np.isfinite(counts) & np.isfinite(times) & (counts > 0))
    if not len(seen):
        return None
    start = float(counts[seen[0]])
    rows, powerless = _window(times, counts, seen, boundary_of(case), start)
    chosen = [row for row in seen if rows[0] <= row <= rows[1]]
    values = np.unique(counts[chosen])[::-1]
    mean_times = np.array([times[chosen][counts[chosen] == value].mean() for value in values])
    if not powerless and len(values) < limits.FEWEST_VALUES:
        powerless = f"N takes only {len(values)} different values in the window, {limits.FEWEST_VALUES} are needed"
    return Kinetics(rows, mean_times, values, start, box_of(case), powerless)


def _window(
    times: Array, counts: Array, seen: NDArray[np.int64], one: Boundary, start: float
) -> tuple[tuple[int, int], str]:
    """First and last row, and why they are not those of steady growth; then all rows after the start are taken."""
    settled = [row for row in seen if times[row] >= one.settling_time]
    whole = (int(settled[0]), int(settled[-1])) if settled else (int(seen[0]), int(seen[-1]))
    if not settled:
        settling = f"before the boundaries have settled ({one.settling_time:.4g} ns)"
        return whole, f"the run ends at {times[seen[-1]]:.4g} ns, {settling}"
    most = (1 - limits.INITIAL_DROP) * start
    used = [row for row in settled if limits.FEWEST_GRAINS <= counts[row] <= most]
    if not used:
        return whole, (
            f"N goes from {start:.0f} to {counts[seen[-1]]:.0f}: no row lies between the first"
            f" {limits.INITIAL_DROP:.0%} of the loss and {limits.FEWEST_GRAINS} grains"
        )
    rows, reduction = (int(used[0]), int(used[-1])), start / counts[used[-1]]
    if reduction < limits.LEAST_REDUCTION:
        return rows, (
            f"N goes from {start:.0f} to {counts[used[-1]]:.0f} within the window (N ≥ {limits.FEWEST_GRAINS}):"
            f" less than a factor of {limits.LEAST_REDUCTION:g}"
        )
    return rows, ""
