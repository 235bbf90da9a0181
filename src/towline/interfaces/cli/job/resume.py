"""`tow job resume`."""

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import JobQuery, Json, MaybeOneJob, RaiseOnError, Verbosity, Yes
from towline.operations.jobs import resume_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    raise_on_error: RaiseOnError = False,
    yes: Yes = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """Let jobs go on that were paused or stopped."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows: resume_jobs(opened, rows, raise_on_error=raise_on_error),
        verb="resume",
        done="resumed",
        yes=yes,
        verbosity=verbosity,
        as_json=as_json,
    )
