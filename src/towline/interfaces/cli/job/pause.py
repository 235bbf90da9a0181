"""`tow job pause`."""

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.operations.jobs import pause_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    acting: ActingOnMany,
) -> None:
    """Hold jobs that have not started."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows, progress: pause_jobs(
            opened, rows, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="pause",
        done="paused",
    )
