"""The checks that ask how fast grains grow: G3, G4, G5 and G11."""

import math

from towline.simulations.application import Case, CheckResult, Results
from towline.simulations.judging import Question
from towline.simulations.moose.grain_growth import limits
from towline.simulations.moose.grain_growth.grains import GrainSizes
from towline.simulations.moose.grain_growth.kinetics import Kinetics, kinetics_of
from towline.simulations.moose.grain_growth.limits import G3, G4, G5, G11
from towline.simulations.moose.grain_growth.theory import boundary_of

_NOT_COUNTED = "the table has no column grain_tracker: the grains were not counted"


def kinetic_checks(case: Case, results: Results, sizes: GrainSizes | None) -> list[CheckResult]:
    """Return G3, G4, G5 and G11.

    Parameters
    ----------
    sizes
        Grains at the times of the snapshots; None without snapshots.
    """
    kinetics = kinetics_of(case, results)
    if kinetics is None:
        return [question.undecided(_NOT_COUNTED) for question in (G3, G4, G5, G11)]
    box = large_enough(kinetics, sizes)
    too_small = box.reason if box.outcome.value == "fail" else ""
    return [
        _unless(too_small, G3, normal_growth(kinetics)),
        _unless(too_small, G4, exponent_of_growth(kinetics)),
        _unless(too_small, G5, rate_of_growth(kinetics, boundary_of(case).kinetic_coefficient)),
        box,
    ]


def _unless(too_small: str, question: Question, result: CheckResult) -> CheckResult:
    """The kinetics of a box that is too small for its grains say nothing."""
    return question.undecided(too_small, result.numbers, result.rows) if too_small else result


def normal_growth(kinetics: Kinetics) -> CheckResult:
    """G3: 1/N (2-D) or N^(−2/3) (3-D) is linear in t: R² and slope of the line, and no bend."""
    line, law = kinetics.line, "1/N" if kinetics.dimension == 2 else "N^(−2/3)"
    numbers = _numbers(kinetics)
    if kinetics.powerless or line is None:
        return G3.undecided(kinetics.powerless or "no line goes through the points", numbers, kinetics.rows)
    bend = kinetics.bend
    numbers |= {"slope": line.slope, "slope_error": line.slope_error, "r_squared": line.r_squared, "bend": bend}
    reason = (
        f"{law} against t from {kinetics.times[0]:.4g} to {kinetics.times[-1]:.4g} ns: R² = {line.r_squared:.4f}"
        f" (at least {limits.GROWTH_R_SQUARED:g}), slope {line.slope:.3g} ± {line.slope_error:.1g} per ns"
    )
    holds = line.slope > 0 and line.r_squared >= limits.GROWTH_R_SQUARED
    if kinetics.losses >= limits.BEND_LOSSES:
        reason += f", second half {bend:.2f} times as steep as the first ({limits.BEND})"
        holds = holds and limits.BEND.holds(bend)
    return G3.decided(holds, reason, numbers, kinetics.rows)


def exponent_of_growth(kinetics: Kinetics) -> CheckResult:
    """G4: n of ⟨R⟩ⁿ − ⟨R₀⟩ⁿ ∝ t, fitted freely, is 2."""
    numbers, growth = _numbers(kinetics), kinetics.growth
    if kinetics.powerless or growth is None:
        return G4.undecided(kinetics.powerless or "the law of growth could not be fitted", numbers, kinetics.rows)
    numbers |= {"exponent": growth.exponent, "exponent_error": growth.exponent_error}
    said = f"n = {growth.exponent:.2f} ± {growth.exponent_error:.2f}"
    if kinetics.losses < limits.EXPONENT_LOSSES:
        few = f"{kinetics.losses:.0f} grains are lost in the window, {limits.EXPONENT_LOSSES} are needed to tell"
        return G4.undecided(f"{said}: {few}", numbers, kinetics.rows)
    if limits.EXPONENT.holds(growth.exponent):
        return G4.passed(f"{said} ({limits.EXPONENT})", numbers, kinetics.rows)
    outside = max(limits.EXPONENT.low - growth.exponent, growth.exponent - limits.EXPONENT.high)
    if not math.isfinite(growth.exponent_error) or growth.exponent_error > limits.EXPONENT_ERROR:
        return G4.undecided(f"{said} is too uncertain to tell it from 2", numbers, kinetics.rows)
    if outside < 2 * growth.exponent_error:
        return G4.undecided(f"{said} is within two standard errors of {limits.EXPONENT}", numbers, kinetics.rows)
    return G4.failed(f"{said} is not within {limits.EXPONENT}", numbers, kinetics.rows)


def rate_of_growth(kinetics: Kinetics, constant: float) -> CheckResult:
    """G5: d⟨A⟩/dt (2-D), or d⟨R²⟩/dt (3-D), over Mσ."""
    numbers, line = _numbers(kinetics) | {"kinetic_coefficient": constant}, kinetics.line
    if kinetics.powerless or line is None:
        return G5.undecided(kinetics.powerless or "no line goes through the points", numbers, kinetics.rows)
    ratio = kinetics.size_rate(line.slope) / constant
    numbers |= {"ratio": ratio, "ratio_error": kinetics.size_rate(line.slope_error) / constant}
    rate = "d⟨A⟩/dt" if kinetics.dimension == 2 else "d⟨R²⟩/dt"
    said = f"{rate} is {ratio:.2f} times Mσ = {constant:.4g} nm²/ns"
    wanted = limits.AREA_RATE if kinetics.dimension == 2 else limits.RADIUS_RATE
    return G5.decided(wanted.holds(ratio), f"{said} ({wanted})", numbers, kinetics.rows)


def large_enough(kinetics: Kinetics, sizes: GrainSizes | None) -> CheckResult:
    """G11: while rates are measured, no grain has a quarter of the box."""
    numbers = _numbers(kinetics)
    if sizes is None:
        return G11.undecided("there are no snapshots of the grains", numbers)
    until = max(float(kinetics.times[-1]), 0.0)
    largest = [max(areas.values()) / kinetics.volume for time, areas in zip(sizes.times, sizes.areas, strict=True)
               if areas and time <= until]  # fmt: skip
    if not largest:
        return G11.undecided("no snapshot lies in the window", numbers)
    numbers["largest share"] = max(largest)
    reason = f"the largest grain has {max(largest):.1%} of the box until {until:.4g} ns"
    holds = max(largest) < limits.LARGEST_GRAIN
    return G11.decided(holds, f"{reason} (at most {limits.LARGEST_GRAIN:.0%})", numbers, kinetics.rows)


def _numbers(kinetics: Kinetics) -> dict[str, float]:
    return {
        "grains at the start": kinetics.start,
        "grains from": float(kinetics.counts[0]),
        "grains to": float(kinetics.counts[-1]),
        "values": float(len(kinetics.counts)),
        "losses": kinetics.losses,
    }
