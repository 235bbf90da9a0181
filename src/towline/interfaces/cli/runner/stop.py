"""`tow runner stop`, also called `tow runner shutdown`."""

import click

from towline.interfaces.cli.runner.halting import halt
from towline.interfaces.cli.runner.options import Halt
from towline.operations.runners import stop


def command(context: click.Context, how: Halt) -> None:
    """Stop the runner, on whatever machine it is. Jobs that run go on, and the next runner finds them."""
    halt(context, how, stop)
