"""`tow job reject`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Option
from towline.operations.holds import reject_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    acting: ActingOnMany,
    message: Annotated[str | None, Option("--message", "-m", help="Why, for those who come later.")] = None,
) -> None:
    """Reject steps that wait for a person: they fail, and what comes after them does not run."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows, progress: reject_jobs(
            opened, rows, message, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="reject",
        done="rejected",
    )
