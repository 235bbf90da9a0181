"""Checks of boundaries and of single grains: G8 and G9."""

import math

import numpy as np

from towline.simulations.analysis.regression import fit_line
from towline.simulations.application import Case, CheckResult, Results
from towline.simulations.moose.building import cell_lengths, dimension_of
from towline.simulations.moose.grain_growth import limits
from towline.simulations.moose.grain_growth.grains import GrainSizes
from towline.simulations.moose.grain_growth.limits import G8, G9
from towline.simulations.moose.grain_growth.theory import Boundary, boundary_of
from towline.simulations.moose.run_record import column

#: A grain whose radius is below this many widths of its boundary feels its own other side.
_THINNEST = 2.0


def energy_of_boundaries(case: Case, results: Results) -> CheckResult:
    """G8: F is σ times the length (area) of the boundaries."""
    energies, lengths, times = (column(results, name) for name in ("total_energy", "gb_length", "time"))
    if not len(energies) or not len(lengths):
        return G8.undecided("the table has no columns total_energy and gb_length")
    one, numbers = boundary_of(case), {"cells per width": case.number("wGB") / max(cell_lengths(case))}
    if numbers["cells per width"] < limits.FEWEST_INTERFACE_CELLS:
        reason = f"boundaries have {numbers['cells per width']:.2g} cells, {limits.FEWEST_INTERFACE_CELLS:g} are needed"
        return G8.undecided(reason, numbers)
    rows = np.flatnonzero((times >= one.settling_time) & np.isfinite(energies) & (lengths > 0))
    if len(rows) < 2:
        return G8.undecided("fewer than two rows lie after the boundaries have settled", numbers)
    ratios = energies[rows] / (one.energy * lengths[rows])
    numbers |= {"smallest": ratios.min(), "largest": ratios.max(), "median": float(np.median(ratios))}
    reason = f"F over σ times the boundary is {ratios.min():.3f} to {ratios.max():.3f} ({limits.ENERGY_RATIO})"
    holds = limits.ENERGY_RATIO.holds(ratios.min()) and limits.ENERGY_RATIO.holds(ratios.max())
    return G8.decided(holds, reason, numbers, (int(rows[0]), int(rows[-1])))


def neumann_mullins(case: Case, sizes: GrainSizes | None) -> CheckResult:
    """G9: dA/dt = (π/3)Mσ(n − 6) for grains of n sides."""
    if dimension_of(case) != 2:
        return G9.undecided("the law of von Neumann and Mullins is one of two dimensions")
    if sizes is None:
        return G9.undecided("there are no snapshots of the grains")
    one = boundary_of(case)
    points, grains = side_rates(sizes, one)
    numbers = {"points": float(len(points)), "grains": float(grains)}
    line = fit_line(points[:, 0], points[:, 1]) if len(points) else None
    if grains < limits.FEWEST_TRACKED or line is None:
        return G9.undecided(f"{grains} grains were followed, {limits.FEWEST_TRACKED} are needed", numbers)
    expected = math.pi / 3 * one.kinetic_coefficient
    ratio, error = line.slope / expected, line.slope_error / expected
    numbers |= {"ratio": ratio, "ratio_error": error, "expected slope": expected, "intercept": line.intercept}
    reason = f"dA/dt per (n − 6) is {ratio:.3f} ± {error:.3f} times (π/3)Mσ over {grains} grains"
    return G9.decided(limits.NEUMANN_MULLINS.holds(ratio), f"{reason} ({limits.NEUMANN_MULLINS})", numbers)


def side_rates(sizes: GrainSizes, one: Boundary) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], int]:
    """Return (n − 6, dA/dt in nm²/ns) of grains that keep their sides between two snapshots, and how many grains.

    Grains hardly larger than their boundaries do not follow the law, nor do boundaries that have not settled.
    """
    smallest = math.pi * (_THINNEST * one.width) ** 2
    points, grains = [], set()
    for place in range(len(sizes.times) - 1):
        step = sizes.times[place + 1] - sizes.times[place]
        if sizes.times[place] < one.settling_time or step <= 0:
            continue
        before, after = sizes.areas[place], sizes.areas[place + 1]
        for grain, area in before.items():
            sides = sizes.sides[place].get(grain)
            kept = sides is not None and grain in after and sides == sizes.sides[place + 1].get(grain)
            if sides is not None and kept and min(area, after[grain]) > smallest:
                points.append((sides - 6, (after[grain] - area) / step))
                grains.add(grain)
    return np.array(points, dtype=float).reshape(-1, 2), len(grains)
