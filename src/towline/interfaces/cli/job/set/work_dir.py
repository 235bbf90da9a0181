"""`tow job set work-dir`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Argument
from towline.operations.jobs import RunProperties, set_run_properties


def command(
    context: click.Context,
    folder: Annotated[
        str, Argument(metavar="FOLDER", help="Absolute, on the worker; an empty text is that of the worker.")
    ],
    query: JobQuery,
    acting: ActingOnMany,
) -> None:
    """Have the run folders of jobs elsewhere on their worker; of jobs that have begun, that of the next attempt."""
    properties = RunProperties(work_dir=folder)
    change_jobs(
        context,
        MaybeOneJob(),
        query,
        lambda opened, rows, progress: set_run_properties(
            opened, rows, properties, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="change",
        done="changed",
    )
