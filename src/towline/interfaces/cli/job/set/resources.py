"""`tow job set resources`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.selection import pairs
from towline.operations.jobs import RunProperties, set_run_properties
from towline.operations.resources import scheduler_neutral


def command(
    context: click.Context,
    resources_value: Annotated[
        str, Argument(metavar="RESOURCES_VALUE", help="key=value, commas between several, or JSON.")
    ],
    query: JobQuery,
    acting: ActingOnMany,
    replace: Annotated[
        bool, Option("--replace", "-r", help="Put them in the place of the old ones, instead of merging.")
    ] = False,
    qresources: Annotated[
        bool,
        Option("--qresources", "-qr", help="They are QResources of qtoolkit, which every scheduler understands."),
    ] = False,
) -> None:
    """Change the resources that jobs ask for."""
    resources = pairs(resources_value, "RESOURCES_VALUE")
    properties = RunProperties(resources=scheduler_neutral(resources) if qresources else resources)
    change_jobs(
        context,
        MaybeOneJob(),
        query,
        lambda opened, rows, progress: set_run_properties(
            opened, rows, properties, replace=replace, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="change",
        done="changed",
    )
