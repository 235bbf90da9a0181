"""The Skeptic of spinodal decomposition: what could prove one run wrong."""

import math

import numpy as np

from towline.simulations.analysis.regression import fit_power
from towline.simulations.application import Case, CheckResult, Results, RunFiles
from towline.simulations.moose.energy_check import never_rises
from towline.simulations.moose.refinement import not_refined
from towline.simulations.moose.run_checks import Intent, mesh_intents, run_checks, time_intents
from towline.simulations.moose.run_record import column, read_record
from towline.simulations.moose.spinodal import limits
from towline.simulations.moose.spinodal.decomposition import (
    Phases,
    coarsening,
    decomposed_row,
    domain_sizes,
    early_growth,
    last_phases,
    spread,
    waves_in_box,
)
from towline.simulations.moose.spinodal.intent import comparisons
from towline.simulations.moose.spinodal.limits import C1, S1, S2, S3, S4, S5, S6, S7, S8, S9
from towline.simulations.moose.spinodal.theory import Mixture, mixture_of


def checks(case: Case, files: RunFiles, results: Results) -> list[CheckResult]:
    """Try to prove a run wrong; what cannot be tested for want of data is inconclusive."""
    mixture, record = mixture_of(case), read_record(files)
    phases = last_phases(files, mixture)
    return [
        *run_checks(case, files, record, intents(case), comparisons(case, record.tree) if record.tree else ()),
        conserves_mass(case, results),
        never_rises(S2, results, limits.ENERGY_RISE, reference="range"),
        decomposes(case, results, mixture),
        grows_as_theory(case, results, mixture),
        phases_of_the_tangent(case, results, mixture, phases),
        shares_of_the_lever(case, results, mixture, phases),
        coarsens(case, results, mixture),
        *([stays_in_bounds(results)] if mixture.logarithmic else []),
        potential_evens_out(results, mixture),
        not_refined(C1, case),
    ]


def intents(case: Case) -> list[Intent]:
    """Where in the input the values of a case have to stand."""
    mean, noise = case.number("c0"), case.number("noise")
    found = [*mesh_intents(case), *time_intents(case), (("RandomIC",), "seed", case.number("rand_seed"))]
    found += [(("RandomIC",), "min", max(0.0, mean - noise)), (("RandomIC",), "max", min(1.0, mean + noise))]
    found.append((("FeatureFloodCount",), "threshold", case.number("feature_threshold")))
    return found


def conserves_mass(case: Case, results: Results) -> CheckResult:
    """S1: the integral of c does not drift."""
    mass = column(results, "total_c")
    rows = np.flatnonzero(np.isfinite(mass))
    if len(rows) < 2 or mass[rows[0]] == 0:
        return S1.undecided("the table has no mass (column total_c)")
    allowed = max(limits.MASS_DRIFT, limits.MASS_DRIFT_PER_TOLERANCE * case.number("nl_abs_tol"))
    if "use_adaptivity" in case.values and case["use_adaptivity"]:
        allowed = max(allowed, limits.MASS_DRIFT_ADAPTED)
    drifts = np.abs(mass[rows] / mass[rows[0]] - 1)
    numbers = {"first": mass[rows[0]], "last": mass[rows[-1]], "largest drift": drifts.max(), "allowed": allowed}
    reason = f"∫c drifts by {drifts.max():.2g} of itself (at most {allowed:.2g})"
    return S1.decided(drifts.max() <= allowed, reason, numbers, (int(rows[0]), int(rows[-1])))


def decomposes(case: Case, results: Results, mixture: Mixture) -> CheckResult:
    """S3: c spans the distance of the phases; a run that is too short for that tells nothing."""
    values, times = spread(results), column(results, "time")
    if not len(values) or not np.isfinite(values).any():
        return S3.undecided("the table has no columns c_max and c_min")
    low, high = mixture.binodal
    share = float(values[np.isfinite(values)][-1] / (high - low))
    rate = mixture.growth_rate(case.number("c0"))
    numbers = {"share of the distance": share, "e-folds": rate * times[-1]}
    rows = (0, len(values) - 1)
    said = f"c spans {share:.2f} of the distance of the phases at the end (at least {limits.DECOMPOSED:g})"
    if share >= limits.DECOMPOSED:
        return S3.passed(said, numbers, rows)
    if math.isnan(rate):
        return S3.undecided(f"{said}: the mixture is outside of its spinodal and would have to nucleate", numbers, rows)
    if numbers["e-folds"] < limits.ENOUGH_E_FOLDS:
        short = (
            f"the fastest wave could grow for {numbers['e-folds']:.2g} e-folds, {limits.ENOUGH_E_FOLDS:g} are enough"
        )
        return S3.undecided(f"{said}: {short}", numbers, rows)
    return S3.failed(f"{said} after {numbers['e-folds']:.3g} e-folds of the fastest wave", numbers, rows)


def grows_as_theory(case: Case, results: Results, mixture: Mixture) -> CheckResult:
    """S4: the variance of c first grows as exp(2ωt) with the ω of the fastest wave."""
    theory = mixture.growth_rate(case.number("c0"))
    if math.isnan(theory):
        return S4.undecided("outside of the spinodal no wave grows")
    window = early_growth(results, mixture)
    if window.fit is None:
        return S4.undecided(window.powerless or "no line goes through the points", rows=window.rows)
    rate = window.fit.slope / 2
    numbers = {
        "rate": rate,
        "theory": theory,
        "ratio": rate / theory,
        "ratio_error": window.fit.slope_error / 2 / theory,
    }
    reason = f"waves grow at {rate / theory:.3f} times M f″²/4κ = {theory:.4g} ({limits.EARLY_RATE})"
    return S4.decided(limits.EARLY_RATE.holds(rate / theory), reason, numbers, window.rows)


def _not_ready(case: Case, results: Results, mixture: Mixture, phases: Phases | None) -> str:
    if decomposed_row(results, mixture) is None:
        return "the mixture did not decompose (S3)"
    if phases is None:
        return "there is no snapshot with both phases"
    sizes = domain_sizes(case, results)
    share = float(sizes[-1]) / mixture.interface_width if len(sizes) and np.isfinite(sizes[-1]) else math.inf
    if share < limits.LEAST_SIZE:
        needed = f"{limits.LEAST_SIZE:g} are needed for phases that are more than interface"
        return f"domains are {share:.3g} times as large as interfaces are wide, {needed}"
    return ""


def phases_of_the_tangent(case: Case, results: Results, mixture: Mixture, phases: Phases | None) -> CheckResult:
    """S5: compositions of the phases, up to the shift by the curvature of their interfaces.

    The shift (Gibbs and Thomson) is σ/(f″ Δc R), with the domain size for the radius R.
    """
    why = _not_ready(case, results, mixture, phases)
    if why or phases is None:
        return S5.undecided(why)
    (low, high), shifts = mixture.binodal, curvature_shifts(case, results, mixture)
    allowed = [limits.PHASE_COMPOSITION + shift for shift in shifts]
    off = [abs(phases.low - low), abs(phases.high - high)]
    numbers = {"low": phases.low, "high": phases.high, "low in equilibrium": low, "high in equilibrium": high}
    numbers |= {"allowed low": allowed[0], "allowed high": allowed[1]}
    reason = (
        f"phases of {phases.low:.4f} and {phases.high:.4f}, in equilibrium {low:.4f} and {high:.4f}"
        f" (± {limits.PHASE_COMPOSITION:g}, and {max(shifts):.2g} for curvature)"
    )
    return S5.decided(off[0] <= allowed[0] and off[1] <= allowed[1], reason, numbers)


def curvature_shifts(case: Case, results: Results, mixture: Mixture) -> tuple[float, float]:
    """How far curved interfaces may move the compositions of the two phases at the end; 0 where sizes are not known."""
    low, high = mixture.binodal
    sizes = domain_sizes(case, results)
    size = float(sizes[-1]) if len(sizes) and np.isfinite(sizes[-1]) else math.inf
    # Logarithms have no curvature at 0 and 1.
    stiffness = [mixture.curvature_at(min(max(one, 1e-9), 1 - 1e-9)) for one in (low, high)]
    shifts = [abs(mixture.interface_energy / (one * (high - low) * size)) for one in stiffness]
    return shifts[0], shifts[1]


def shares_of_the_lever(case: Case, results: Results, mixture: Mixture, phases: Phases | None) -> CheckResult:
    """S6: share of the box that the second phase has."""
    why = _not_ready(case, results, mixture, phases)
    if why or phases is None:
        return S6.undecided(why)
    expected = mixture.phase_share(case.number("c0"))
    low, high = mixture.binodal
    shifts = curvature_shifts(case, results, mixture)
    curvature = (shifts[0] * (1 - expected) + shifts[1] * expected) / (high - low)
    allowed = limits.PHASE_SHARE + curvature
    numbers = {"share": phases.share, "lever rule": expected, "allowed": allowed}
    reason = f"the second phase has {phases.share:.3f} of the box, by the lever rule {expected:.3f}"
    holds = abs(phases.share - expected) <= allowed
    return S6.decided(holds, f"{reason} (± {limits.PHASE_SHARE:g}, and {curvature:.2g} for curvature)", numbers)


def coarsens(case: Case, results: Results, mixture: Mixture) -> CheckResult:
    """S7: the exponent of the domain size."""
    window = coarsening(case, results, mixture)
    sizes, numbers = domain_sizes(case, results), {}
    if len(sizes) and np.isfinite(sizes[window.rows[1]]):
        numbers["domains at the end"] = float(waves_in_box(case, sizes[window.rows[1] : window.rows[1] + 1])[0])
    if window.fit is not None:
        numbers |= {"exponent": window.fit.slope, "exponent_error": window.fit.slope_error}
    if window.powerless or window.fit is None:
        return S7.undecided(window.powerless or "no line goes through the points", numbers, window.rows)
    reason = f"L grows with t to the power {window.fit.slope:.3f} ± {window.fit.slope_error:.3f} ({limits.EXPONENT})"
    return S7.decided(limits.EXPONENT.holds(window.fit.slope), reason, numbers, window.rows)


def stays_in_bounds(results: Results) -> CheckResult:
    """S8: 0 < c < 1."""
    low, high = column(results, "c_min"), column(results, "c_max")
    if not np.isfinite(low).any() or not np.isfinite(high).any():
        return S8.undecided("the table has no columns c_min and c_max")
    least, most = float(np.nanmin(low)), float(np.nanmax(high))
    holds = limits.COMPOSITIONS.holds(least) and limits.COMPOSITIONS.holds(most)
    numbers = {"smallest c": least, "largest c": most}
    return S8.decided(holds, f"c goes from {least:.4g} to {most:.4g} (within 0 and 1)", numbers, (0, len(low) - 1))


def potential_evens_out(results: Results, mixture: Mixture) -> CheckResult:
    """S9: the variance of w falls while domains coarsen."""
    squares, means, times = (column(results, name) for name in ("w_squared", "w_average", "time"))
    if not len(squares) or not len(means):
        return S9.undecided("the table has no columns w_squared and w_average")
    first = decomposed_row(results, mixture)
    if first is None:
        return S9.undecided("the mixture did not decompose (S3)")
    values = squares - means**2
    rows = np.flatnonzero((times >= 2 * times[first]) & np.isfinite(values) & (values > 0))
    line = fit_power(times[rows], values[rows]) if len(rows) >= 5 else None
    if line is None:
        return S9.undecided("fewer than five rows lie in the coarsening")
    numbers = {"exponent": line.slope, "first": values[rows[0]], "last": values[rows[-1]]}
    reason = f"the variance of w goes from {values[rows[0]]:.3g} to {values[rows[-1]]:.3g}"
    said = f"{reason}, with t to the power {line.slope:.2f}"
    return S9.decided(line.slope < 0, said, numbers, (int(rows[0]), int(rows[-1])))
