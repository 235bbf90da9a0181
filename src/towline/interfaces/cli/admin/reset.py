"""`tow admin reset`."""

from dataclasses import asdict
from typing import Annotated

import click

from towline.interfaces.cli.display import plural, print_json, write_out
from towline.interfaces.cli.options import HiddenForce, Json, Yes
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.progress import Bar
from towline.interfaces.cli.selection import confirm
from towline.interfaces.cli.session import open_session
from towline.operations.database_upgrades import flows_to_reset, reset_queue


def command(
    context: click.Context,
    validation: Annotated[
        str | None, Argument(metavar="VALIDATION", help="The date of today, as 2026-03-01, from 25 flows on.")
    ] = None,
    output: Annotated[bool, Option("--output", "-o", help="Delete the outputs of the jobs too.")] = False,
    yes: Yes = False,
    force: HiddenForce = False,
    as_json: Json = False,
) -> None:
    """Empty the queue: every flow leaves it, with its journal. Run folders stay."""
    with open_session(context) as opened:
        flows = plural(flows_to_reset(opened), "flow")
        also = " with the outputs of the jobs" if output else ""
        confirm(f"Delete all {flows} of {opened.project.name}{also}?", yes=yes or force)
        with Bar("empty the queue") as bar:
            done = reset_queue(opened, validation, output=output, progress=bar.show)
    if as_json:
        print_json(asdict(done))
        return
    write_out(f"{plural(done.flows, 'flow')} with {plural(done.jobs, 'job')} deleted\n")
