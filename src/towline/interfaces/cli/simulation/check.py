"""`tow simulation check`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import click

from towline.errors import InvalidRequest
from towline.interfaces.cli.display import print_json, say, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.session import project_of
from towline.interfaces.cli.simulation.options import (
    CaseOptions,
    PlaceOptions,
    RunOptions,
    configuration_from,
    planned_from,
)
from towline.interfaces.cli.simulation.sweeping import print_sweep, wait_and_tell_sweep
from towline.interfaces.cli.simulation.telling import (
    exit_with,
    outcome_document,
    print_case,
    print_findings,
    print_outcome,
)


class Refinement(StrEnum):
    """What can be halved."""

    MESH = "mesh"
    TIME_STEP = "time-step"


def command(
    context: click.Context,
    case: CaseOptions,
    place: PlaceOptions,
    what: Annotated[
        str | None,
        Argument(metavar="WHAT", help="A run or a sweep, judged anew; or an input file. Without it: a case."),
    ] = None,
    refine: Annotated[
        Refinement | None, Option("--refine", help="Make the run again with half the cells, or half the steps.")
    ] = None,
    no_wait: Annotated[bool, Option("--no-wait", help="Only put that into the queue.")] = False,
    as_json: Json = False,
) -> None:
    """Check a case before it is run, an input file, or the results of a run.

    With --refine a run is made once more, finer, and both are judged together.

    Exit codes: 0 nothing is wrong, 1 errors, 3 the run failed, 4 FALSIFIED, 5 INCONCLUSIVE.
    """
    if refine is not None:
        if what is None:
            raise InvalidRequest("--refine needs a run: tow simulation check RUN --refine time-step")
        _refine(context, what, refine, place, no_wait=no_wait, as_json=as_json)
    elif what is None:
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


def _refine(
    context: click.Context, what: str, refine: Refinement, place: PlaceOptions, *, no_wait: bool, as_json: bool
) -> None:
    from towline.operations.simulation_records import find_run, runs_folder
    from towline.operations.simulation_sweeps import submit_refinement

    config = configuration_from(place)
    folder = find_run(what, runs_folder(config))
    submitted = submit_refinement(folder, refine.value, config=config, project=project_of(context))
    wait_and_tell_sweep(context, submitted, RunOptions(no_wait=no_wait), as_json=as_json)
