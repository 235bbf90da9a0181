"""`tow job resume`."""

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.operations.jobs import resume_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    acting: ActingOnMany,
) -> None:
    """Let jobs go on that were paused or stopped."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows, progress: resume_jobs(
            opened, rows, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="resume",
        done="resumed",
    )
