"""`tow job set exec-config`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.completions import complete_exec_config
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Argument
from towline.operations.jobs import RunProperties, set_run_properties


def command(
    context: click.Context,
    exec_config_value: Annotated[
        str,
        Argument(metavar="EXEC_CONFIG_VALUE", help="Environment of the project.", autocompletion=complete_exec_config),
    ],
    query: JobQuery,
    acting: ActingOnMany,
) -> None:
    """Change the environment of jobs."""
    properties = RunProperties(exec_config=exec_config_value)
    change_jobs(
        context,
        MaybeOneJob(),
        query,
        lambda opened, rows, progress: set_run_properties(
            opened, rows, properties, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="change",
        done="changed",
    )
