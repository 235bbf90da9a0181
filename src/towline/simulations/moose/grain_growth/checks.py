"""The Skeptic of grain growth: what could prove one run wrong."""

import numpy as np
from scipy.spatial import cKDTree  # type: ignore[import-untyped]  # ships no types

from towline.simulations.application import Case, CheckResult, Results, RunFiles
from towline.simulations.moose.building import cells, dimension_of
from towline.simulations.moose.energy_check import never_rises
from towline.simulations.moose.grain_growth import limits
from towline.simulations.moose.grain_growth.field_checks import energy_of_boundaries, neumann_mullins
from towline.simulations.moose.grain_growth.grains import maps_of, sizes_of
from towline.simulations.moose.grain_growth.kinetic_checks import kinetic_checks
from towline.simulations.moose.grain_growth.kinetics import box_of
from towline.simulations.moose.grain_growth.limits import C1, G1, G2, G6, G7
from towline.simulations.moose.grain_growth.theory import boundary_of
from towline.simulations.moose.refinement import not_refined
from towline.simulations.moose.run_checks import Intent, mesh_intents, run_checks, time_intents
from towline.simulations.moose.run_record import RunRecord, column, read_record

_UNCOUNTED = "the table has no column grain_tracker: the grains were not counted"


def checks(case: Case, files: RunFiles, results: Results) -> list[CheckResult]:
    """Try to prove a run wrong; what cannot be tested for want of data is inconclusive."""
    record, sizes = read_record(files), sizes_of(maps_of(case, files))
    *kinetic, box = kinetic_checks(case, results, sizes)
    return [
        *run_checks(case, files, record, intents(case)),
        grains_do_not_multiply(case, results, record),
        starts_as_planned(case, results),
        *kinetic,
        never_rises(G6, results, limits.ENERGY_RISE, reference="start"),
        fills_the_box(case, results),
        energy_of_boundaries(case, results),
        neumann_mullins(case, sizes),
        box,
        not_refined(C1, case),
    ]


def periodic_of(case: Case) -> tuple[bool, ...]:
    """Return whether the box is periodic, along x, y, z."""
    return tuple(bool(case[f"periodic_{axis}"]) for axis in "xyz"[: dimension_of(case)])


def intents(case: Case) -> list[Intent]:
    """Where in the input the values of a case have to stand."""
    material = ("GBEvolution",)
    names = {"T": "T", "wGB": "wGB", "GBmob0": "GBmob0", "Q": "Q", "GBenergy": "GBenergy"}
    found: list[Intent] = [(material, parameter, case.number(name)) for parameter, name in names.items()]
    found += mesh_intents(case) + time_intents(case)
    found.append((("/GlobalParams",), "op_num", case.number("op_num")))
    if case["ic_type"] == "Voronoi":
        voronoi = ("PolycrystalVoronoi",)
        found.append((voronoi, "grain_num", case.number("num_grains")))
        found.append((voronoi, "rand_seed", case.number("rand_seed")))
    found.append((("GrainTracker",), "threshold", case.number("gt_threshold")))
    return found


def grains_do_not_multiply(case: Case, results: Results, record: RunRecord) -> CheckResult:
    """G1: N never rises once the boundaries have settled."""
    times, counts = column(results, "time"), column(results, "grain_tracker")
    if not len(counts):
        return G1.undecided(_UNCOUNTED)
    rows = np.flatnonzero((times >= boundary_of(case).settling_time) & np.isfinite(counts))
    numbers = {"grains at the start": counts[0], "grains at the end": counts[-1], "rows": float(len(rows))}
    if len(rows) < 2:
        return G1.undecided("fewer than two rows lie after the boundaries have settled", numbers)
    kept = counts[rows]
    span = (int(rows[0]), int(rows[-1]))
    rises = np.flatnonzero(np.diff(kept) > 0)
    numbers["rises"] = float(len(rises))
    if not len(rises):
        return G1.passed(f"N falls from {kept[0]:.0f} to {kept[-1]:.0f} without ever rising", numbers, span)
    # Each rise only brings back what was there three rows before: two grains of one order parameter that met were seen
    # as one until the tracker gave one of them another, or the last cells of a grain were seen once more. Grains that
    # numerics make come in numbers, and add to those that were there.
    back = all(kept[rise + 1] <= kept[max(0, rise - 3) : rise].max(initial=0) for rise in rises)
    if back and len(rises) <= max(1.0, limits.SEEN_AGAIN * counts[0]):
        seen = f"rises ({len(rises)}) bring back grains that were there shortly before, and were not seen for a moment"
        return G1.passed(f"N falls from {kept[0]:.0f} to {kept[-1]:.0f}; {seen}", numbers, span)
    # Rises that three rows later are gone: of a grain that the tracker saw in two parts.
    passing = all(kept[rise + 1 : rise + 4].min() <= kept[rise] for rise in rises)
    first = int(rises[0])
    said = f"N rises from {kept[first]:.0f} to {kept[first + 1]:.0f} at {times[rows[first + 1]]:.4g} ns"
    said += f", {len(rises)} rises in all"
    announced = [event for event in record.console.tracker_events if "matching" in event] if record.console else []
    if announced and passing:
        return G1.undecided(f"{said}; the tracker announced it, and three rows later it is gone", numbers, span)
    return G1.failed(said, numbers, (int(rows[first]), int(rows[first + 1])))


def starts_as_planned(case: Case, results: Results) -> CheckResult:
    """G2: N(0) is the number of Voronoi cells that own a node, counted anew from the random numbers of the plan."""
    counts = column(results, "grain_tracker")
    if not len(counts) or not np.isfinite(counts[0]):
        return G2.undecided("the grains of the first row were not counted" if len(counts) else _UNCOUNTED)
    if case["ic_type"] != "Voronoi":
        return G2.undecided("a random start has no number of grains", {"counted": counts[0]})
    expected = voronoi_cells(case)
    numbers = {"counted": counts[0], "expected": float(expected), "planned": case.number("num_grains")}
    slack = limits.INITIAL_COUNT_SLACK if case.number("int_width") > 0 else 0
    reason = f"{counts[0]:.0f} grains at the start; {expected} of the {case['num_grains']} Voronoi cells own a node"
    return G2.decided(abs(counts[0] - expected) <= slack, f"{reason} (± {slack})", numbers, (0, 0))


def voronoi_cells(case: Case) -> int:
    """Return how many Voronoi cells own at least one node: MOOSE draws three numbers per centre, also in 2-D."""
    lengths, counts = np.array(box_of(case)), cells(case)
    numbers = np.random.RandomState(int(case.number("rand_seed"))).random_sample((int(case.number("num_grains")), 3))
    centres = numbers[:, : len(lengths)] * lengths
    periodic = periodic_of(case)
    # Images of the centres on the other side of periodic sides stand for the minimum-image distance.
    shifts = np.stack([one.ravel() for one in np.meshgrid(*[(-1, 0, 1) if wraps else (0,) for wraps in periodic])])
    images = np.concatenate([centres + shift * lengths for shift in shifts.T])
    axes = [np.linspace(0, length, count + 1) for length, count in zip(lengths, counts, strict=True)]
    nodes = np.stack([one.ravel() for one in np.meshgrid(*axes)], axis=1)
    _, nearest = cKDTree(images).query(nodes)
    return len(np.unique(nearest % len(centres)))


def fills_the_box(case: Case, results: Results) -> CheckResult:
    """G7: volumes of the grains add up to the box, and order parameters keep their bounds."""
    mean, counts = column(results, "avg_grain_volume"), column(results, "grain_tracker")
    rows = _settled_rows(case, results)
    volume = float(np.prod(box_of(case)))
    numbers: dict[str, float] = {}
    broken, missing = [], []
    if len(mean) and len(counts) and len(rows):
        errors = np.abs(mean[rows] * counts[rows] / volume - 1)
        numbers["volume error"] = float(np.nanmax(errors)) if np.isfinite(errors).any() else float("nan")
        if not numbers["volume error"] <= limits.VOLUME_ERROR:
            said = f"the grains miss the box by {numbers['volume error']:.2%}"
            broken.append(f"{said} (at most {limits.VOLUME_ERROR:.0%})")
    else:
        missing.append("the volumes of the grains")
    bounds = [(name, column(results, name)) for name in ("eta_min", "eta_max")]
    if all(len(values) for _, values in bounds):
        low, high = (float(pick(values)) for pick, (_, values) in zip((np.nanmin, np.nanmax), bounds, strict=True))
        numbers |= {"smallest η": low, "largest η": high}
        if not (limits.ORDER_PARAMETER.holds(low) and limits.ORDER_PARAMETER.holds(high)):
            broken.append(f"order parameters go from {low:.3g} to {high:.3g} ({limits.ORDER_PARAMETER})")
    else:
        missing.append("the bounds of the order parameters")
    span = (int(rows[0]), int(rows[-1])) if len(rows) else None
    if broken:
        return G7.failed("; ".join(broken), numbers, span)
    if missing:
        return G7.undecided(f"the table does not have {' and '.join(missing)}", numbers, span)
    error = numbers["volume error"]
    return G7.passed(f"grains fill the box within {error:.2%}, η from {low:.3g} to {high:.3g}", numbers, span)


def _settled_rows(case: Case, results: Results) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    times = column(results, "time")
    return np.flatnonzero(times >= boundary_of(case).settling_time)
