"""`tow job stop`."""

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.operations.jobs import stop_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    acting: ActingOnMany,
) -> None:
    """End jobs, wherever they are; processes that run are ended with all their children."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows, progress: stop_jobs(opened, rows, raise_on_error=acting.raise_on_error, progress=progress),
        acting,
        verb="stop",
        done="stopped",
    )
