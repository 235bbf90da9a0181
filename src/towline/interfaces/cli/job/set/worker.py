"""`tow job set worker`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.completions import complete_worker
from towline.interfaces.cli.options import JobQuery, Json, MaybeOneJob, RaiseOnError, Verbosity, Yes
from towline.interfaces.cli.parameters import Argument
from towline.operations.jobs import RunProperties, set_run_properties


def command(
    context: click.Context,
    worker_name: Annotated[
        str, Argument(metavar="WORKER_NAME", help="Worker of the project.", autocompletion=complete_worker)
    ],
    query: JobQuery,
    raise_on_error: RaiseOnError = False,
    yes: Yes = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """Move jobs to another worker; jobs that have begun go there with their next attempt."""
    properties = RunProperties(worker=worker_name)
    change_jobs(
        context,
        MaybeOneJob(),
        query,
        lambda opened, rows: set_run_properties(opened, rows, properties, raise_on_error=raise_on_error),
        verb="change",
        done="changed",
        yes=yes,
        verbosity=verbosity,
        as_json=as_json,
    )
