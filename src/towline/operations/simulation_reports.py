"""Drawing simulations: figures and report of a run, and of a sweep with what its members say together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from towline.errors import InvalidRequest, TowlineError
from towline.operations.simulation_runs import planned_of, relative
from towline.simulations import registry
from towline.simulations.application import Figure, Member, Results, Verdict
from towline.simulations.cases import read_finding, read_verdict, verdict_document
from towline.simulations.provenance import hashes_of, package_versions, source_state
from towline.simulations.reports.run_report import run_report
from towline.simulations.reports.sweep_report import sweep_report
from towline.simulations.run_directory import RECORD, REPORT, append_event, find_files, read_json, update_record

#: What is known of a sweep: what was asked for, its members, what they say together.
SWEEP = "sweep.json"


def draw(folder: Path) -> dict[str, Any]:
    """Draw the figures of a judged run and write its report; what was made, with paths relative to the folder.

    Raises
    ------
    InvalidRequest
        The run directory is gone, or was not judged.
    """
    case, metadata = planned_of(folder)
    application = registry.find(case.physics)
    files = find_files(folder, str(case["run_name"]))
    figures: list[Figure] = []
    results, problem = Results({}, {}), None
    try:
        pictures = folder / "figures"
        pictures.mkdir(exist_ok=True)
        results = application.results(case, files)
        figures = application.figures(case, files, results, pictures)
    except TowlineError as error:
        problem = str(error)
    made: dict[str, Any] = {"figures": [_figure(one, folder) for one in figures], "figures_problem": problem}
    record = update_record(folder, made)
    told = provenance_of(metadata, record)
    findings = [read_finding(one) for one in metadata["findings"]]
    verdict = read_verdict(record["verdict"])
    into = folder / REPORT
    run_report(application, case, findings, files, results, verdict, figures, told, into)
    made["report"] = relative(into, folder)
    update_record(folder, made | {"hashes": hashes_of(folder)})
    append_event(folder, "drawn", figures=len(figures))
    return made


def analyse_members(folder: Path, runs: Sequence[Path]) -> dict[str, Any]:
    """Judge the members of a sweep together, and draw them; what came of it is kept in the sweep's record.

    Raises
    ------
    InvalidRequest
        The folder of the sweep is gone.
    """
    record = read_json(folder / SWEEP)
    members, problems = [], {}
    for run in runs:
        try:
            members.append(member_of(run))
        except TowlineError as error:
            problems[run.name] = str(error)
    application = registry.find(record["physics"])
    verdict = Verdict.of(application.sweep_checks(members))
    into = folder / "figures"
    into.mkdir(exist_ok=True)
    figures = application.sweep_figures(members, into) if members else []
    told: dict[str, Any] = {
        "verdict": verdict_document(verdict),
        "members_judged": [run.name for run in runs if run.name not in problems],
        "members_without_results": problems,
        "figures": [_figure(one, folder) for one in figures],
    }
    record = update_record(folder, told, SWEEP)
    report = folder / REPORT
    sweep_report(application, members, verdict, figures, _sweep_provenance(record), report)
    update_record(folder, {"report": relative(report, folder)}, SWEEP)
    append_event(folder, "analysed", verdict=verdict.word.value, members=len(members))
    return {"folder": str(folder), "verdict": verdict.word.value, "sentence": verdict.sentence()}


def member_of(folder: Path) -> Member:
    """A judged run as a member of a sweep.

    Raises
    ------
    TowlineError
        It was not judged, or its results cannot be read.
    """
    case, _ = planned_of(folder)
    record = read_json(folder / RECORD)
    if "verdict" not in record:
        raise InvalidRequest(f"{folder.name} has not been judged")
    application = registry.find(case.physics)
    files = find_files(folder, str(case["run_name"]))
    return Member(case, files, application.results(case, files), read_verdict(record["verdict"]))


def provenance_of(metadata: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, object]:
    """What made a run, in the order in which people ask for it."""
    return {
        "run": record.get("run_id"),
        "solver": record.get("solver"),
        "solver versions": {
            name: text for name, text in (record.get("solver_header") or {}).items() if "Version" in name
        },
        "command": " ".join(metadata["solver"]["command"]),
        "executable hash": metadata["solver"]["sha256"],
        "backend": metadata["execution_backend"],
        "backend name": metadata["backend_name"] or None,
        "worker": metadata["worker"],
        "attempt": metadata["attempt"],
        "parent": metadata["parent"],
        "correction": (metadata["correction"] or {}).get("note"),
        "exit code": record.get("exit_code"),
        "started": record.get("start_time"),
        "seconds": record.get("duration_s"),
        "random numbers": metadata["seeds"],
        "machine": metadata["machine"],
        "packages": metadata["packages"],
        "source": metadata["source"],
        "hash of the input": (record.get("hashes") or {}).get(record.get("input_path")),
    }


def _sweep_provenance(record: Mapping[str, Any]) -> dict[str, object]:
    return {
        "sweep": record["sweep_id"],
        "created": record["created"],
        "asked": record["asked"],
        "backend name": record["backend_name"] or None,
        "members": len(record["members"]),
        "members without results": len(record["members_without_results"]),
        "packages": package_versions(),
        "source": source_state(),
    }


def _figure(one: Figure, folder: Path) -> dict[str, Any]:
    return {"path": relative(one.path, folder), "title": one.title, "caption": one.caption}
