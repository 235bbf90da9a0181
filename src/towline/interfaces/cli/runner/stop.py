"""`tow runner stop`, also called `tow runner shutdown`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.runner.options import MaxWait
from towline.interfaces.cli.runner.reports import describe
from towline.interfaces.cli.session import project_of
from towline.operations.runners import stop


def command(
    context: click.Context,
    wait: Annotated[bool, Option("--wait/--no-wait", "-w", help="Wait until it has stopped.")] = True,
    max_wait: MaxWait = 120,
) -> None:
    """Stop the runner, on whatever machine it is. Jobs that run go on, and the next runner finds them."""
    seconds = (max_wait or None) if wait else 0
    write_out(describe(stop(project_of(context), seconds)) + "\n")
