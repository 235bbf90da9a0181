"""What a run of spinodal decomposition gave."""

import math

import numpy as np

from towline.simulations.application import Case, Metric, Results, RunFiles
from towline.simulations.moose.building import dimension_of
from towline.simulations.moose.run_record import column, series_of
from towline.simulations.moose.spinodal.decomposition import (
    coarsening,
    decomposed_row,
    domain_sizes,
    early_growth,
    flat_phases,
    last_phases,
)
from towline.simulations.moose.spinodal.theory import Mixture, mixture_of

_PLAIN = ("num_features", "num_features_low", "c_max", "c_min", "c_average", "c_squared")


def results(case: Case, files: RunFiles) -> Results:
    """Read what a run gave.

    Raises
    ------
    towline.simulations.moose.output_files.UnreadableOutput
        There is no table of postprocessors, or it cannot be read.
    """
    series, mixture = series_of(files), mixture_of(case)
    units = {name: unit for name, unit in units_of(case, mixture).items() if name in series}
    read = Results({}, series, units)
    metrics = {
        **_conserved(read, units),
        **_early(read, mixture, units.get("time", "")),
        **_phases(files, read, mixture),
        **_domains(case, read, mixture),
    }
    return Results(metrics, series, units)


def units_of(case: Case, mixture: Mixture) -> dict[str, str]:
    """Return the units of the columns; a double well has none."""
    length, time, energy = mixture.units
    dimension = dimension_of(case)
    powers = {1: "", 2: "²", 3: "³"}
    if not length:
        return dict.fromkeys((*_PLAIN, "time", "dt", "total_c", "total_energy", "interface_length"), "")
    return dict.fromkeys(_PLAIN, "") | {
        "time": time,
        "dt": time,
        "total_c": length + powers[dimension],
        # The third dimension of a plane is not there: energies are per length of it.
        "total_energy": energy if dimension == 3 else f"{energy}/{length}",
        "interface_length": length + powers[dimension - 1],
        "w_average": f"{energy}/{length}³",
        "w_squared": f"{energy}²/{length}⁶",
    }


def _conserved(read: Results, units: dict[str, str]) -> dict[str, Metric]:
    out = {"time_reached": Metric(column(read, "time")[-1], units.get("time", ""))}
    mass = column(read, "total_c")
    mass = mass[np.isfinite(mass)]
    if len(mass) and mass[0]:
        out["mass_drift"] = Metric(float(np.abs(mass / mass[0] - 1).max()), "", note="largest, relative to the start")
    energy = column(read, "total_energy")
    energy = energy[np.isfinite(energy)]
    if len(energy):
        out["energy_initial"] = Metric(energy[0], units["total_energy"])
        out["energy_final"] = Metric(energy[-1], units["total_energy"])
    return out


def _early(read: Results, mixture: Mixture, unit: str) -> dict[str, Metric]:
    mean = column(read, "c_average")
    theory = mixture.growth_rate(float(mean[0])) if len(mean) and np.isfinite(mean[0]) else math.nan
    if not math.isfinite(theory):
        return {}
    inverse = f"1/{unit}" if unit else ""
    out = {"theory_growth_rate": Metric(theory, inverse, note="M f″²/(4κ) of the input, not measured")}
    window = early_growth(read, mixture)
    if window.fit is not None:
        times = column(read, "time")
        first, last = times[window.rows[0]], times[window.rows[1]]
        note = f"half the rate of the variance from {first:.4g} to {last:.4g} {unit}".rstrip()
        rate, error = window.fit.slope / 2, window.fit.slope_error / 2
        out["early_rate"] = Metric(rate, inverse, error, not window.powerless, note)
        out["early_rate_over_theory"] = Metric(rate / theory, "", error / theory, not window.powerless, note)
    return out


def _phases(files: RunFiles, read: Results, mixture: Mixture) -> dict[str, Metric]:
    found = last_phases(files, mixture)
    if found is None:
        return {}
    valid = decomposed_row(read, mixture) is not None
    note = f"most frequent in the snapshot at {found.time:.4g} {mixture.units[1]}".rstrip()
    out = {
        "phase_low": Metric(found.low, "", None, valid, note),
        "phase_high": Metric(found.high, "", None, valid, note),
        "phase_share": Metric(found.share, "", None, valid, "of the second phase, by counting"),
    }
    flat = flat_phases(found, read, mixture)
    if flat is not None:
        note = "without the shift by curved interfaces, from the mean chemical potential of the run"
        out["phase_low_flat"] = Metric(flat[0], "", None, valid, note)
        out["phase_high_flat"] = Metric(flat[1], "", None, valid, note)
    return out


def _domains(case: Case, read: Results, mixture: Mixture) -> dict[str, Metric]:
    out: dict[str, Metric] = {}
    sizes, length = domain_sizes(case, read), mixture.units[0]
    first = decomposed_row(read, mixture)
    if len(sizes) and first is not None and np.isfinite(sizes[-1]):
        note = "volume over interface"
        out["domain_size_first"] = Metric(sizes[first], length, None, True, f"{note}, when decomposed")
        out["domain_size_final"] = Metric(sizes[-1], length, None, True, note)
    window = coarsening(case, read, mixture)
    if window.fit is not None:
        times, unit = column(read, "time"), mixture.units[1]
        note = f"domain size against t from {times[window.rows[0]]:.4g} to {times[window.rows[1]]:.4g} {unit}".rstrip()
        note += f"; not valid: {window.powerless}" if window.powerless else ""
        out["coarsening_exponent"] = Metric(window.fit.slope, "", window.fit.slope_error, not window.powerless, note)
    for name in ("num_features", "num_features_low"):
        counts = column(read, name)
        if len(counts) and np.isfinite(counts[-1]):
            side = "above" if name == "num_features" else "below"
            out[f"domains_{side}"] = Metric(counts[-1], "", None, True, f"{side} the threshold, at the end")
    return out
