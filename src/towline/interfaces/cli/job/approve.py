"""`tow job approve`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Option
from towline.operations.holds import approve_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    acting: ActingOnMany,
    message: Annotated[str | None, Option("--message", "-m", help="Why, for those who come later.")] = None,
) -> None:
    """Approve steps that wait for a person: the flow goes on."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows, progress: approve_jobs(
            opened, rows, message, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="approve",
        done="approved",
    )
