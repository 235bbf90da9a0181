"""The report of a sweep."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from towline.simulations.application import Application, Figure, Member, Verdict
from towline.simulations.reports.page import deciding, flattened, render


def sweep_report(
    application: Application,
    members: Sequence[Member],
    verdict: Verdict,
    figures: Sequence[Figure],
    provenance: Mapping[str, object],
    into: Path,
    title: str = "Sweep",
) -> Path:
    """Write the report of a sweep as one HTML file; returns it.

    Parameters
    ----------
    verdict
        Of the checks of the sweep.
    into
        The file.
    """
    varied = varied_parameters(members)
    units = {parameter.name: parameter.unit for parameter in application.parameters}
    names = [name for name in _COLUMNS if any(name in member.results.metrics for member in members)]
    rows = [
        (
            [member.case[name] for name in varied],
            [member.results.metrics.get(name) for name in names],
            member.verdict,
            member.files.folder.name,
        )
        for member in members
    ]
    return render(
        "sweep.html",
        into,
        title=f"{title}: {application.label}",
        application=application,
        varied=[(name, units.get(name, "")) for name in varied],
        columns=[(name, _unit(members, name)) for name in names],
        rows=rows,
        verdict=verdict,
        deciding=deciding(verdict),
        figures=figures,
        provenance=flattened(provenance),
    )


#: Metrics that are worth a column, of either physics.
_COLUMNS = (
    "grains_initial",
    "grains_final",
    "mean_area_rate",
    "mean_radius_squared_rate",
    "growth_r_squared",
    "rate_over_kinetic_coefficient",
    "phase_low",
    "phase_high",
    "phase_share",
    "coarsening_exponent",
    "early_rate_over_theory",
)


def varied_parameters(members: Sequence[Member]) -> list[str]:
    """Return the names of the parameters that were stated differently; derived ones and names of runs follow them."""
    found = []
    for name in members[0].case.values if members else ():
        seen = {member.case[name] if name in member.case.values else None for member in members}
        stated = any(
            member.case.values[name].origin.value == "stated" for member in members if name in member.case.values
        )
        if len(seen) > 1 and stated and name != "run_name":
            found.append(name)
    return found


def _unit(members: Sequence[Member], name: str) -> str:
    return next((one.results.metrics[name].unit for one in members if name in one.results.metrics), "")
