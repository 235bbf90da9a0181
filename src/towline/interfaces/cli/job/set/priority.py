"""`tow job set priority`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import JobQuery, Json, MaybeOneJob, RaiseOnError, Verbosity, Yes
from towline.interfaces.cli.parameters import Argument
from towline.operations.jobs import set_priority


def command(
    context: click.Context,
    priority_value: Annotated[int, Argument(metavar="PRIORITY_VALUE", help="Higher runs first; 0 is a value.")],
    query: JobQuery,
    raise_on_error: RaiseOnError = False,
    yes: Yes = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """Change the priority of jobs."""
    change_jobs(
        context,
        MaybeOneJob(),
        query,
        lambda opened, rows: set_priority(opened, rows, priority_value, raise_on_error=raise_on_error),
        verb="change",
        done="changed",
        yes=yes,
        verbosity=verbosity,
        as_json=as_json,
    )
