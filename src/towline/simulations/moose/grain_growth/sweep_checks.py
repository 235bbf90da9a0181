"""The checks of several runs of grain growth together: Arrhenius, random starts, and refinement."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]  # ships no types

from towline.simulations.analysis.regression import LineFit, fit_line
from towline.simulations.application import CheckResult, Member, Metric, Word
from towline.simulations.moose.grain_growth import limits
from towline.simulations.moose.grain_growth.limits import C1, G12, SEEDS
from towline.simulations.moose.grain_growth.theory import BOLTZMANN
from towline.simulations.moose.refinement import change_of_refinement, same_but

#: Where the rate of a run stands, in two and in three dimensions.
_RATES = ("mean_area_rate", "mean_radius_squared_rate")
_INTERVAL = f"the {limits.ACTIVATION_CONFIDENCE:.0%} interval"


def sweep_checks(members: Sequence[Member]) -> list[CheckResult]:
    """Return the checks that the members allow to be asked; none if they vary nothing of the kind."""
    found = []
    if len({member.case["T"] for member in members}) > 1:
        found.append(follows_arrhenius(members))
    if len({member.case["rand_seed"] for member in members}) > 1:
        found.append(starts_agree(members))
    refined = change_of_refinement(C1, members, rate_of, limits.REFINEMENT_CHANGE, "growth rate")
    return [*found, *([refined] if refined is not None else [])]


def rate_of(member: Member) -> Metric | None:
    """Return the rate of a member; None if it was not measured, is not valid, or the run was proved wrong."""
    if member.verdict.word is Word.FALSIFIED:
        return None
    found = next((member.results.metrics[name] for name in _RATES if name in member.results.metrics), None)
    return found if found is not None and found.valid and found.value > 0 else None


def rates_by_temperature(members: Sequence[Member]) -> dict[float, list[float]]:
    """Return the valid rates, in nm²/ns, by temperature in K."""
    found: dict[float, list[float]] = defaultdict(list)
    for member in members:
        rate = rate_of(member)
        if rate is not None:
            found[member.case.number("T")].append(rate.value)
    return dict(sorted(found.items()))


def arrhenius_fit(rates: Mapping[float, Sequence[float]]) -> tuple[LineFit, float, float] | None:
    """Fit ``ln k = ln k₀ − Q/(k_B T)`` to the rates of all runs; None if there are fewer than three temperatures.

    Returns
    -------
    line, Q, standard error of Q
        The line in 1/(k_B T); energies in eV. The error comes from the scatter of the runs about the line.
    """
    if len(rates) < 3:
        return None
    points = [(1 / (BOLTZMANN * temperature), rate) for temperature, values in rates.items() for rate in values]
    line = fit_line([x for x, _ in points], [float(np.log(rate)) for _, rate in points])
    return None if line is None else (line, -line.slope, line.slope_error)


def follows_arrhenius(members: Sequence[Member]) -> CheckResult:
    """G12: the activation energy of the rates is that of the material."""
    rates = rates_by_temperature(members)
    asked = {member.case.number("T") for member in members}
    numbers: dict[str, float] = {"temperatures": float(len(rates)), "temperatures asked": float(len(asked))}
    energies = {member.case.number("Q") for member in members}
    found = arrhenius_fit(rates)
    missing = sorted(asked - set(rates))
    lacking = f"; no valid rate at {', '.join(f'{one:g}' for one in missing)} K" if missing else ""
    if found is None or len(energies) != 1:
        why = "the members have different activation energies" if len(energies) != 1 else "three are needed for a line"
        return G12.undecided(f"{len(rates)} of {len(asked)} temperatures have a valid rate: {why}{lacking}", numbers)
    line, fitted, error = found
    expected = energies.pop()
    starts = min(len(values) for values in rates.values())
    numbers |= {
        "Q": fitted,
        "Q_error": error,
        "Q_input": expected,
        "r_squared": line.r_squared,
        "starts": float(starts),
    }
    said = f"Q = {fitted:.4f} ± {error:.4f} eV over {len(rates)} temperatures, R² = {line.r_squared:.4f}"
    said += f", input {expected:g} eV"
    off = abs(fitted - expected)
    close = off <= limits.ACTIVATION_SHARE * expected
    # Student's t for as many runs: with few of them the standard error itself is uncertain.
    spread = float(stdtrit(line.count - 2, (1 + limits.ACTIVATION_CONFIDENCE) / 2)) * error
    numbers["Q_interval"] = spread
    consistent = off <= spread + limits.ACTIVATION_SYSTEMATIC * expected
    values = [float(np.mean(one)) for one in rates.values()]
    if line.r_squared < limits.ARRHENIUS_R_SQUARED or values != sorted(values):
        return G12.failed(f"{said}: the rates do not follow Arrhenius{lacking}", numbers)
    if not consistent:
        return G12.failed(f"{said}: {off:.3f} eV apart, beyond {_INTERVAL}{lacking}", numbers)
    if len(rates) < limits.FEWEST_TEMPERATURES or starts < limits.FEWEST_STARTS:
        wanted = f"{limits.FEWEST_TEMPERATURES} temperatures with {limits.FEWEST_STARTS} random starts each"
        there = f"here are {len(rates)} with at least {starts}, so that the error does not tell how starts scatter"
        return G12.undecided(f"{said}; {wanted} are needed to be sure, {there}{lacking}", numbers)
    if not close:
        return G12.undecided(f"{said}: the scatter is too large to tell{lacking}", numbers)
    return G12.passed(f"{said}; within {limits.ACTIVATION_SHARE:.0%} and {_INTERVAL}{lacking}", numbers)


def starts_agree(members: Sequence[Member]) -> CheckResult:
    """G13: the rates of runs that differ only in their random start scatter little."""
    groups = [group for group in same_but(members, ("rand_seed", "run_name")) if len(group) > 1]
    spreads = []
    for group in groups:
        rates = [rate.value for rate in map(rate_of, group) if rate is not None]
        if len(rates) >= limits.FEWEST_STARTS:
            spreads.append(float(np.std(rates, ddof=1) / np.mean(rates)))
    numbers = {"groups": float(len(groups)), "groups with rates": float(len(spreads))}
    if not spreads:
        reason = f"no group of runs has {limits.FEWEST_STARTS} random starts with a valid rate"
        return SEEDS.undecided(reason, numbers)
    numbers["largest spread"] = max(spreads)
    reason = f"rates scatter by {max(spreads):.0%} from start to start (at most {limits.SEED_SPREAD:.0%})"
    return SEEDS.decided(max(spreads) <= limits.SEED_SPREAD, reason, numbers)
