"""`tow job retry`."""

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.operations.jobs import retry_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    acting: ActingOnMany,
) -> None:
    """Repeat the action of the runner that failed, at once."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows, progress: retry_jobs(
            opened, rows, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="retry",
        done="retried",
    )
