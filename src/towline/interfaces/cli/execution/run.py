"""`tow execution run`: the worker's side."""

from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.parameters import Argument
from towline.operations.execution import run_job_here


def command(
    run_dir: Annotated[Path, Argument(metavar="RUN_DIR", help="The run folder; otherwise this one.")] = Path(),
) -> None:
    """Run the job of a run folder in this process, unless it was started before."""
    raise click.exceptions.Exit(run_job_here(run_dir))
