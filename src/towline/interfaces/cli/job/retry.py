"""`tow job retry`."""

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import JobQuery, Json, MaybeOneJob, RaiseOnError, Verbosity, Yes
from towline.operations.jobs import retry_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    raise_on_error: RaiseOnError = False,
    yes: Yes = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """Repeat the action of the runner that failed, at once."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows: retry_jobs(opened, rows, raise_on_error=raise_on_error),
        verb="retry",
        done="retried",
        yes=yes,
        verbosity=verbosity,
        as_json=as_json,
    )
