"""`tow job set exec-config`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.completions import complete_exec_config
from towline.interfaces.cli.options import JobQuery, Json, MaybeOneJob, RaiseOnError, Verbosity, Yes
from towline.interfaces.cli.parameters import Argument
from towline.operations.jobs import RunProperties, set_run_properties


def command(
    context: click.Context,
    exec_config_value: Annotated[
        str,
        Argument(metavar="EXEC_CONFIG_VALUE", help="Environment of the project.", autocompletion=complete_exec_config),
    ],
    query: JobQuery,
    raise_on_error: RaiseOnError = False,
    yes: Yes = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """Change the environment of jobs."""
    properties = RunProperties(exec_config=exec_config_value)
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
