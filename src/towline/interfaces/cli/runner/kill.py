"""`tow runner kill`."""

import click

from towline.interfaces.cli.runner.halting import halt
from towline.interfaces.cli.runner.options import Halt
from towline.operations.runners import kill


def command(context: click.Context, how: Halt) -> None:
    """End the runner at once, on whatever machine it is. Nothing is lost: jobs go on, the next runner takes over."""
    halt(context, how, kill)
