"""`tow simulation check`."""

from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.display import print_json, say, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument
from towline.interfaces.cli.simulation.options import CaseOptions, PlaceOptions, configuration_from, planned_from
from towline.interfaces.cli.simulation.sweeping import print_sweep
from towline.interfaces.cli.simulation.telling import (
    exit_with,
    outcome_document,
    print_case,
    print_findings,
    print_outcome,
)


def command(
    case: CaseOptions,
    place: PlaceOptions,
    what: Annotated[
        str | None,
        Argument(metavar="WHAT", help="A run or a sweep, judged anew; or an input file. Without it: a case."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a case before it is run, an input file, or the results of a run.

    Exit codes: 0 nothing is wrong, 1 errors, 3 the run failed, 4 FALSIFIED, 5 INCONCLUSIVE.
    """
    if what is None:
        _check_case(case, as_json=as_json)
    elif what.endswith(".i"):
        _check_input(Path(what), as_json=as_json)
    else:
        _check_run(what, place, as_json=as_json)


def _check_case(case: CaseOptions, *, as_json: bool) -> None:
    from towline.operations.simulation_planning import plan_document

    planned = planned_from(case)
    if as_json:
        print_json(plan_document(planned))
    else:
        print_case(planned.case)
        print_findings(planned)
        if not planned.findings:
            say("the preflight found nothing wrong")
    if planned.errors:
        raise click.exceptions.Exit(1)


def _check_input(path: Path, *, as_json: bool) -> None:
    from towline.operations.simulation_planning import file_problems

    problems = file_problems(path)
    if as_json:
        print_json({"file": str(path), "problems": problems})
    else:
        write_out("".join(f"{one}\n" for one in problems) or "Syntax OK\n")
    if problems:
        raise click.exceptions.Exit(1)


def _check_run(what: str, place: PlaceOptions, *, as_json: bool) -> None:
    from towline.operations.simulation_records import find_run, runs_folder
    from towline.operations.simulation_sweeps import is_sweep, judge_again

    folder = find_run(what, runs_folder(configuration_from(place)))
    found = judge_again(folder)
    if as_json:
        print_json(outcome_document(found))
    elif is_sweep(folder):
        print_sweep(found)
    else:
        print_outcome(found)
    exit_with(found)
