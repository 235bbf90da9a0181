"""`tow job set worker`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.completions import complete_worker
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Argument
from towline.operations.jobs import RunProperties, set_run_properties


def command(
    context: click.Context,
    worker_name: Annotated[
        str, Argument(metavar="WORKER_NAME", help="Worker of the project.", autocompletion=complete_worker)
    ],
    query: JobQuery,
    acting: ActingOnMany,
) -> None:
    """Move jobs to another worker; jobs that have begun go there with their next attempt."""
    properties = RunProperties(worker=worker_name)
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
