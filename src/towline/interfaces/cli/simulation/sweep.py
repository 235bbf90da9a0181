"""`tow simulation sweep`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import click

from towline.errors import InvalidRequest
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.session import project_of
from towline.interfaces.cli.simulation.options import (
    CaseOptions,
    PlaceOptions,
    RunOptions,
    case_file_of,
    configuration_from,
)
from towline.interfaces.cli.simulation.sweeping import run_sweep, wait_and_tell_sweep


def command(
    context: click.Context,
    case: CaseOptions,
    place: PlaceOptions,
    run: RunOptions,
    over: Annotated[
        list[str] | None,
        Option(
            "--over", help="A parameter and its values, as T=450,600,750; several make a grid.", metavar="KEY=VALUES"
        ),
    ] = None,
    seeds: Annotated[int | None, Option("--seeds", help="Random starts of each combination.", min=1, max=1000)] = None,
    resume: Annotated[
        Path | None, Option("--resume", help="Run again what is missing or failed in this sweep.", metavar="FOLDER")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate many cases side by side, each planned by itself, and judge them together."""
    if resume is not None:
        from towline.operations.simulation_sweeps import resume_sweep

        submitted = resume_sweep(resume.absolute(), config=configuration_from(place), project=project_of(context))
        wait_and_tell_sweep(context, submitted, run, as_json=as_json)
        return
    from towline.operations.simulation_requests import read_axes

    asked = case_file_of(case)
    asked = replace(asked, sweep={**asked.sweep, **read_axes(over or [])}, seeds=seeds or asked.seeds)
    if not asked.sweep and not asked.seeds:
        raise InvalidRequest("nothing is swept; give for example --over T=450,600,750 or --seeds 3")
    run = replace(run, backend_name=run.backend_name or asked.backend_name or "")
    run_sweep(context, asked, place, run, as_json=as_json)
