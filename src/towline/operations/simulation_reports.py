"""Drawing simulations: figures and report of a run, and of a sweep with what its members say together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from towline.errors import InvalidRequest, TowlineError
from towline.operations.simulation_runs import planned_of, relative
from towline.simulations import registry
from towline.simulations.application import Figure, Member, Verdict
from towline.simulations.cases import read_verdict, verdict_document
from towline.simulations.provenance import hashes_of
from towline.simulations.run_directory import RECORD, append_event, find_files, read_json, update_record

#: What is known of a sweep: what was asked for, its members, what they say together.
SWEEP = "sweep.json"


def draw(folder: Path) -> dict[str, Any]:
    """Draw the figures of a judged run and write its report; what was made, with paths relative to the folder.

    Raises
    ------
    InvalidRequest
        The run directory is gone, or was not judged.
    """
    case, _ = planned_of(folder)
    application = registry.find(case.physics)
    files = find_files(folder, str(case["run_name"]))
    figures: list[Figure] = []
    problem = None
    try:
        into = folder / "figures"
        into.mkdir(exist_ok=True)
        figures = application.figures(case, files, application.results(case, files), into)
    except TowlineError as error:
        problem = str(error)
    made = {"figures": [_figure(one, folder) for one in figures], "figures_problem": problem}
    update_record(folder, made)
    update_record(folder, {"hashes": hashes_of(folder)})
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
    told = {
        "verdict": verdict_document(verdict),
        "members_judged": [run.name for run in runs if run.name not in problems],
        "members_without_results": problems,
        "figures": [_figure(one, folder) for one in figures],
    }
    update_record(folder, told, SWEEP)
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


def _figure(one: Figure, folder: Path) -> dict[str, Any]:
    return {"path": relative(one.path, folder), "title": one.title, "caption": one.caption}
