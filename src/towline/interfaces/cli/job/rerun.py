"""`tow job rerun`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import JobQuery, Json, MaybeOneJob, RaiseOnError, Verbosity, Yes
from towline.interfaces.cli.parameters import Option
from towline.operations.jobs import rerun_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    force: Annotated[
        bool,
        Option("--force", "-f", help="Also jobs that ended well or were stopped, and all after them."),
    ] = False,
    raise_on_error: RaiseOnError = False,
    yes: Yes = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """Run jobs again, each as a new attempt; outcome and folder of the earlier ones are kept."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows: rerun_jobs(opened, rows, force=force, raise_on_error=raise_on_error),
        verb="rerun",
        done="run again",
        yes=yes,
        verbosity=verbosity,
        as_json=as_json,
    )
