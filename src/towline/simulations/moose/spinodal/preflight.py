"""What keeps a case of spinodal decomposition from showing it, found before anything is computed."""

import math

from towline.simulations.application import Case, Cost, Finding, Scalar, Severity
from towline.simulations.moose.building import cell_lengths, dimension_of
from towline.simulations.moose.cost import cost_findings, cost_of
from towline.simulations.moose.spinodal.resolution import (
    CELLS_PER_WAVE,
    CELLS_PER_WIDTH,
    E_FOLDS,
    STEP_SHARE,
    WAVES_PER_BOX,
    expected_steps_of,
    growth_time,
)
from towline.simulations.moose.spinodal.theory import Mixture, mixture_of


def preflight(case: Case) -> list[Finding]:
    """Everything that is wrong with a case, errors first."""
    mixture = mixture_of(case)
    found = [*_range(case, mixture), *_logarithm(case, mixture), *_threshold(case, mixture)]
    rate = mixture.growth_rate(case.number("c0"))
    if rate > 0:
        found += [*_box(case, mixture), *_cells(case, mixture), *_duration(case, rate), *_steps(case, mixture, rate)]
        found += cost_findings(case, variables=2, steps=expected_steps(case))
    return sorted(found, key=lambda one: list(Severity).index(one.severity))


def cost(case: Case) -> Cost:
    """What a run takes, about."""
    return cost_of(case, variables=2, fields=5, steps=expected_steps(case))


def expected_steps(case: Case) -> float:
    """How many steps a case will take, about."""
    rate = mixture_of(case).growth_rate(case.number("c0"))
    return expected_steps_of(case, rate) if rate > 0 else case.number("growth_steps")


def _range(case: Case, mixture: Mixture) -> list[Finding]:
    mean = case.number("c0")
    low, high = mixture.spinodal
    if low < mean < high:
        return []
    text = f"c0 is {mean:g}, where f'' > 0: nucleation, not spinodal; it needs {low:.3f} to {high:.3f}"
    return [Finding("spinodal range", Severity.ERROR, text, {"c0": round((low + high) / 2, 3)})]


def _logarithm(case: Case, mixture: Mixture) -> list[Finding]:
    mean, noise = case.number("c0"), case.number("noise")
    if mixture.logarithmic and not 0.01 <= mean - noise <= mean + noise <= 0.99:
        text = (
            f"c0 ± noise goes from {mean - noise:g} to {mean + noise:g}; the logarithms of the energy need 0.01 to 0.99"
        )
        return [Finding("logarithms", Severity.ERROR, text, {"noise": round(min(mean, 1 - mean) / 10, 4)})]
    return []


def _threshold(case: Case, mixture: Mixture) -> list[Finding]:
    low, high = mixture.binodal
    threshold = case.number("feature_threshold")
    if not low < threshold < high:
        text = f"feature_threshold is {threshold:g}, not between the phases {low:.3f} and {high:.3f}: no domains"
        return [Finding("threshold", Severity.WARNING, text, {"feature_threshold": round((low + high) / 2, 4)})]
    return []


def _box(case: Case, mixture: Mixture) -> list[Finding]:
    wavelength = mixture.fastest_wavelength(case.number("c0"))
    names = [f"{axis}max" for axis in "xyz"[: dimension_of(case)]]
    ratio = min(case.number(name) for name in names) / wavelength
    text = f"the box is {ratio:.3g} times the fastest wavelength of {wavelength:.3g}"
    side = float(f"{1.02 * WAVES_PER_BOX * wavelength:.2g}")
    proposal: dict[str, Scalar] = dict.fromkeys(names, side)
    if ratio < 3:
        return [Finding("box", Severity.ERROR, f"{text}; at least 3, better 10", proposal)]
    if ratio < WAVES_PER_BOX:
        return [Finding("box", Severity.WARNING, f"{text}; below 10 there are few domains to count", proposal)]
    return []


def _cells(case: Case, mixture: Mixture) -> list[Finding]:
    longest = max(cell_lengths(case))
    wavelength = mixture.fastest_wavelength(case.number("c0"))
    per_wave, per_width = wavelength / longest, mixture.interface_width / longest
    needed = min(wavelength / CELLS_PER_WAVE, mixture.interface_width / CELLS_PER_WIDTH)
    halvings = 2 ** int(case.number("uniform_refine"))
    proposal: dict[str, Scalar] = {
        f"n{axis}": math.ceil(case.number(f"{axis}max") / (needed * halvings)) for axis in "xyz"[: dimension_of(case)]
    }
    text = f"cells of {longest:.3g} give {per_wave:.3g} per wavelength and {per_width:.2g} per interface"
    if per_wave < 6 or per_width < 3:
        return [Finding("cells", Severity.ERROR, f"{text}; at least 6 and 3 are needed", proposal)]
    if per_wave < 10 or per_width < CELLS_PER_WIDTH * (1 - 1e-6):
        return [Finding("cells", Severity.WARNING, f"{text}; better 10 and {CELLS_PER_WIDTH:g}", proposal)]
    return []


def _duration(case: Case, rate: float) -> list[Finding]:
    if case["time_mode"] != "end_time":
        return []
    folds = rate * case.number("end_time")
    text = f"end_time is {folds:.2g} times the growth time of {1 / rate:.4g}"
    proposal = {"end_time": float(f"{E_FOLDS / rate:.4g}")}
    if folds < 5:
        return [Finding("duration", Severity.ERROR, f"{text}; before 5 nothing is visible", proposal)]
    if folds < 100:
        return [Finding("duration", Severity.WARNING, f"{text}; coarsening needs 100", proposal)]
    return []


def _steps(case: Case, mixture: Mixture, rate: float) -> list[Finding]:
    found = []
    ratio = case.number("dtmax") / mixture.longest_unique_step
    if ratio > 1:
        limit = "4 kappa/(M max(-f'')^2)"
        text = (
            f"steps of up to {case.number('dtmax'):.4g} are {ratio:.3g} times {limit}; up to 1 they have one solution"
        )
        proposal: dict[str, Scalar] = {"dtmax": float(f"{STEP_SHARE * mixture.longest_unique_step:.4g}")}
        found.append(Finding("longest step", Severity.WARNING, text, proposal))
    growth = rate * growth_time(rate) / case.number("growth_steps")
    if growth > 0.3:
        text = f"growth_steps is {case['growth_steps']}: steps of {growth:.2g} growth times bend the rate of growth"
        found.append(Finding("growth steps", Severity.WARNING, text, {"growth_steps": 160}))
    return found
