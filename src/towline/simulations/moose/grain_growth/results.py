"""What a run of grain growth gave."""

import math

import numpy as np

from towline.simulations.application import Case, Metric, Results, RunFiles
from towline.simulations.moose.grain_growth.kinetics import Kinetics, box_of, kinetics_of
from towline.simulations.moose.grain_growth.theory import boundary_of, mean_radius, reduced_time
from towline.simulations.moose.run_record import column, series_of

#: Columns, and their units in two dimensions (per nm of thickness) and in three.
UNITS = {
    "time": ("ns", "ns"),
    "dt": ("ns", "ns"),
    "grain_tracker": ("grains", "grains"),
    "n_elements": ("elements", "elements"),
    "DOFs": ("", ""),
    "total_energy": ("eV/nm", "eV"),
    "gb_length": ("nm", "nm²"),
    "avg_grain_volume": ("nm²", "nm³"),
    "eta_max": ("", ""),
    "eta_min": ("", ""),
}


def results(case: Case, files: RunFiles) -> Results:
    """Read what a run gave.

    Raises
    ------
    towline.simulations.moose.output_files.UnreadableOutput
        There is no table of postprocessors, or it cannot be read.
    """
    series = series_of(files)
    place = 0 if case.number("dim") == 2 else 1
    units = {name: UNITS[name][place] for name in series if name in UNITS}
    read = Results({}, series, units)
    metrics = _counts(case, read) | _ends(read, units)
    kinetics = kinetics_of(case, read)
    if kinetics is not None:
        metrics |= _kinetics(case, kinetics, read)
    return Results(metrics, series, units)


def _counts(case: Case, read: Results) -> dict[str, Metric]:
    counts = column(read, "grain_tracker")
    finite = counts[np.isfinite(counts)]
    if not len(finite):
        return {}
    first, last = float(finite[0]), float(finite[-1])
    metrics = {
        "grains_initial": Metric(first, "grains"),
        "grains_final": Metric(last, "grains"),
        "reduction": Metric(100 * (1 - last / first) if first else math.nan, "%", valid=first > 0),
    }
    for name, count in (("mean_radius_initial", first), ("mean_radius_final", last)):
        if count > 0:
            radius = mean_radius(math.prod(box_of(case)), count, int(case.number("dim")))
            metrics[name] = Metric(radius, "nm", note="of the mean area or volume")
    return metrics


def _ends(read: Results, units: dict[str, str]) -> dict[str, Metric]:
    out = {}
    for name, metric in (("total_energy", "energy"), ("gb_length", "boundary")):
        values = column(read, name)
        finite = values[np.isfinite(values)]
        if len(finite):
            out[f"{metric}_initial"] = Metric(float(finite[0]), units[name])
            out[f"{metric}_final"] = Metric(float(finite[-1]), units[name])
    times = column(read, "time")
    out["time_reached"] = Metric(float(times[-1]), "ns")
    out["steps"] = Metric(float(len(times) - 1), "", note="rows of the table after the first")
    return out


def _kinetics(case: Case, kinetics: Kinetics, read: Results) -> dict[str, Metric]:
    one, valid = boundary_of(case), not kinetics.powerless
    radius = mean_radius(kinetics.volume, kinetics.start, kinetics.dimension)
    tau = reduced_time(one, float(column(read, "time")[-1]), radius)
    metrics = {
        "kinetic_coefficient": Metric(one.kinetic_coefficient, "nm²/ns", note="Mσ of the input, not measured"),
        "reduced_time": Metric(tau, "", note="Mσ t/⟨R₀⟩², from 1 on growth shows"),
    }
    line, growth = kinetics.line, kinetics.growth
    if line is not None and len(kinetics.counts) > 2:
        law = "1/N" if kinetics.dimension == 2 else "N^(−2/3)"
        where = f"{law} against t from {kinetics.times[0]:.4g} to {kinetics.times[-1]:.4g} ns"
        note = f"{where}, N from {kinetics.counts[0]:.0f} to {kinetics.counts[-1]:.0f}"
        note += f"; not valid: {kinetics.powerless}" if kinetics.powerless else ""
        size = "mean_area_rate" if kinetics.dimension == 2 else "mean_radius_squared_rate"
        rate, error = kinetics.size_rate(line.slope), kinetics.size_rate(line.slope_error)
        ratio = rate / one.kinetic_coefficient
        metrics |= {
            "growth_rate": Metric(line.slope, "1/ns", line.slope_error, valid, note),
            size: Metric(rate, "nm²/ns", error, valid, note),
            "rate_over_kinetic_coefficient": Metric(ratio, "", error / one.kinetic_coefficient, valid, note),
        }
        if math.isfinite(line.r_squared):
            metrics["growth_r_squared"] = Metric(line.r_squared, "", None, valid, note)
    if growth is not None:
        note = kinetics.powerless and f"not valid: {kinetics.powerless}"
        metrics["growth_exponent"] = Metric(
            growth.exponent, "", growth.exponent_error if math.isfinite(growth.exponent_error) else None, valid, note
        )
    return metrics
