"""`tow job pause`."""

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import JobQuery, Json, MaybeOneJob, RaiseOnError, Verbosity, Yes
from towline.operations.jobs import pause_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    raise_on_error: RaiseOnError = False,
    yes: Yes = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """Hold jobs that have not started."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows: pause_jobs(opened, rows, raise_on_error=raise_on_error),
        verb="pause",
        done="paused",
        yes=yes,
        verbosity=verbosity,
        as_json=as_json,
    )
