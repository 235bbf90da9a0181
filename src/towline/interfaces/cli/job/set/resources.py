"""`tow job set resources`."""

from typing import Annotated

import click

from towline.errors import InvalidRequest
from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.resource_options import ResourceOptions
from towline.interfaces.cli.selection import pairs
from towline.operations.jobs import RunProperties, set_run_properties
from towline.operations.resources import scheduler_neutral


def command(
    context: click.Context,
    query: JobQuery,
    acting: ActingOnMany,
    named: ResourceOptions,
    resources_value: Annotated[
        str | None, Argument(metavar="RESOURCES_VALUE", help="key=value, commas between several, or JSON.")
    ] = None,
    replace: Annotated[
        bool, Option("--replace", "-r", help="Put them in the place of the old ones, instead of merging.")
    ] = False,
    qresources: Annotated[
        bool,
        Option("--qresources", "-qr", help="They are QResources of qtoolkit, which every scheduler understands."),
    ] = False,
) -> None:
    """Change the resources that jobs ask for, by options or in any words of the scheduler."""
    resources = named.with_words({} if resources_value is None else pairs(resources_value, "RESOURCES_VALUE"))
    if resources_value is None and not resources:
        raise InvalidRequest("no resource is given; write key=value, or options such as --time 2:00:00")
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
