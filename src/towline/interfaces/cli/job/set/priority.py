"""`tow job set priority`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Argument
from towline.operations.jobs import set_priority


def command(
    context: click.Context,
    priority_value: Annotated[int, Argument(metavar="PRIORITY_VALUE", help="Higher runs first; 0 is a value.")],
    query: JobQuery,
    acting: ActingOnMany,
) -> None:
    """Change the priority of jobs."""
    change_jobs(
        context,
        MaybeOneJob(),
        query,
        lambda opened, rows, progress: set_priority(
            opened, rows, priority_value, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="change",
        done="changed",
    )
