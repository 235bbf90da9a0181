"""The report of one run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from towline.simulations.application import Application, Case, Figure, Finding, Results, RunFiles, Verdict
from towline.simulations.reports.page import deciding, flattened, render


def run_report(
    application: Application,
    case: Case,
    findings: Sequence[Finding],
    files: RunFiles,
    results: Results,
    verdict: Verdict,
    figures: Sequence[Figure],
    provenance: Mapping[str, object],
    into: Path,
) -> Path:
    """Write the report of a run as one HTML file; returns it.

    Parameters
    ----------
    findings
        Of the preflight.
    provenance
        What made the run, by name; nested mappings are told with dotted names.
    into
        The file.
    """
    used = {parameter.name: parameter for parameter in application.parameters}
    parameters = [(name, value, used[name].help if name in used else "") for name, value in case.values.items()]
    return render(
        "run.html",
        into,
        title=f"{case['run_name']}: {application.label}" if "run_name" in case.values else application.label,
        application=application,
        findings=findings,
        files=_named_files(files),
        parameters=parameters,
        metrics=results.metrics,
        verdict=verdict,
        deciding=deciding(verdict),
        figures=figures,
        provenance=flattened(provenance),
    )


def _named_files(files: RunFiles) -> list[tuple[str, str]]:
    every = (("input", files.input_file), ("log", files.log), ("table", files.csv), ("fields", files.exodus))
    return [(name, path.name) for name, path in every if path is not None]
