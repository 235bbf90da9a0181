"""From what was stated to a case of spinodal decomposition that decomposes, and coarsens.

Lengths follow from the wavelength λ* that grows fastest, times from its growth rate ω. While the waves grow, steps are
short against 1/ω; later they may be as long as one implicit step has one solution.
"""

from collections.abc import Mapping

from towline.errors import InvalidRequest
from towline.simulations.application import Case, Value
from towline.simulations.moose.building import derive_cells
from towline.simulations.moose.spinodal.parameters import PARAMETERS
from towline.simulations.moose.spinodal.theory import Mixture, double_well, iron_chromium
from towline.simulations.resolving import Resolution

#: The box over the wavelength that grows fastest.
WAVES_PER_BOX = 10.0
CELLS_PER_WAVE = 12.0
#: Cells across an interface, from 10 to 90 %: 4 give the energy of a flat one within 2 %.
CELLS_PER_WIDTH = 4.0
#: ω t at the end. Curved interfaces shift the phases away from the common tangent, by less the larger the domains have
#: grown: iron-chromium is 1.2 at.% off after 130, and 0.7 after 300.
E_FOLDS = 300.0
#: ω t when the waves have become domains, from noise of some percent.
GROWTH_E_FOLDS = 12.0
#: Steps over the longest one that has one solution.
STEP_SHARE = 0.9
_AXES = "xyz"
_LENGTHS = ("xmax", "ymax", "zmax")
_TIMES = ("end_time", "dt_start", "dtmax", "dtmin")


def resolve(stated: Mapping[str, Value]) -> Case:
    """A case of spinodal decomposition from checked values.

    Raises
    ------
    InvalidRequest
        The end is stated as a time and as a number of steps, and nothing says which one counts; or the double well is
        given values although the free energy is that of iron-chromium.
    """
    values = Resolution(PARAMETERS, stated)
    _refuse_contradictions(values)
    mixture = _mixture(values)
    dimension = int(values.number("dim"))
    _choose_box(values, mixture, dimension)
    _choose_times(values, mixture)
    low, high = mixture.binodal
    values.derive("feature_threshold", (low + high) / 2, "middle of the two phases")
    length, time, _ = mixture.units
    units = dict.fromkeys(_LENGTHS, length) | dict.fromkeys(_TIMES, time)
    return values.case("spinodal", unused=_unused(values, dimension), units=units)


def _refuse_contradictions(values: Resolution) -> None:
    if values["fe_mode"] == "FeCr":
        useless = [name for name in ("W", "kappa", "M") if values.is_stated(name)]
        if useless:
            raise InvalidRequest(
                f"{', '.join(useless)} would have no effect: with fe_mode=FeCr the free energy, the gradient energy "
                "and the mobility are those of iron-chromium; leave them out, or give fe_mode=double_well"
            )
    if values.is_stated("time_mode"):
        return
    if values.is_stated("end_time") and values.is_stated("num_steps"):
        raise InvalidRequest(
            f"end_time is {values.number('end_time'):g} and num_steps is {values['num_steps']}: "
            "leave one of them out, or say which one counts with time_mode=end_time or time_mode=num_steps"
        )
    if values.is_stated("num_steps"):
        values.derive("time_mode", "num_steps", "num_steps is stated and end_time is not")


def _mixture(values: Resolution) -> Mixture:
    if values["fe_mode"] == "FeCr":
        return iron_chromium()
    return double_well(values.number("W"), values.number("kappa"), values.number("M"))


def _instability(values: Resolution, mixture: Mixture) -> tuple[float, float]:
    """λ* and ω of the mean concentration; outside the spinodal those of its middle, for preflight to refuse."""
    mean = values.number("c0")
    low, high = mixture.spinodal
    if not low + 1e-3 < mean < high - 1e-3:
        mean = (low + high) / 2
    return mixture.fastest_wavelength(mean), mixture.growth_rate(mean)


def _choose_box(values: Resolution, mixture: Mixture, dimension: int) -> None:
    wavelength, _ = _instability(values, mixture)
    names = [f"{axis}max" for axis in _AXES[:dimension]]
    stated = [values.number(name) for name in names if values.is_stated(name)]
    side = stated[0] if stated else float(f"{WAVES_PER_BOX * wavelength * 1.02:.2g}")
    note = (
        "as long as the side that is stated" if stated else f"{WAVES_PER_BOX:g} times the fastest wavelength, rounded"
    )
    halvings = 2 ** int(values.number("uniform_refine"))
    cell = min(wavelength / CELLS_PER_WAVE, mixture.interface_width / CELLS_PER_WIDTH)
    for name in names:
        values.derive(name, side, note)
    derive_cells(values, dimension, cell * halvings, f"{CELLS_PER_WIDTH:g} cells per interface after refinement")


def _choose_times(values: Resolution, mixture: Mixture) -> None:
    _, rate = _instability(values, mixture)
    longest = STEP_SHARE * mixture.longest_unique_step
    growth = growth_time(rate) / values.number("growth_steps")
    if values["time_mode"] == "end_time":
        values.derive("end_time", E_FOLDS / rate, f"{E_FOLDS:g} times the growth time of the fastest wave")
    else:
        late = (E_FOLDS - GROWTH_E_FOLDS) / (rate * longest)
        values.derive("num_steps", round(values.number("growth_steps") + late), f"about {E_FOLDS:g} growth times")
    values.derive("dt_start", growth / 2, "half of a step while the waves grow")
    values.derive("dtmax", longest, f"{STEP_SHARE:g} * 4 kappa / (M max(-f'')^2)")
    values.derive("dtmin", values.number("dt_start") * 1e-4, "dt_start / 10 000")
    values.derive("exodus_interval", max(1, round(expected_steps_of(values, rate) / 30)), "about 30 snapshots")


def growth_time(rate: float) -> float:
    """The time until which steps are short."""
    return GROWTH_E_FOLDS / rate


def expected_steps_of(values: Resolution | Case, rate: float) -> float:
    """How many steps the run will take, about."""
    if values["time_mode"] == "num_steps":
        return float(values.number("num_steps"))
    late = max(0.0, values.number("end_time") - growth_time(rate)) / values.number("dtmax")
    return values.number("growth_steps") * min(1.0, values.number("end_time") / growth_time(rate)) + late


def _unused(values: Resolution, dimension: int) -> list[str]:
    names = ["end_time"] if values["time_mode"] == "num_steps" else ["num_steps"]
    if dimension == 2:
        names += ["zmax", "nz", "periodic_z"]
    if values["fe_mode"] == "FeCr":
        names += ["W", "kappa", "M"]
    if not values["use_adaptivity"]:
        names += ["initial_adaptivity", "refine_fraction", "coarsen_fraction", "max_h_level"]
    return names
