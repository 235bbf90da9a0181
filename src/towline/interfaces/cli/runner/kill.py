"""`tow runner kill`."""

import click

from towline.interfaces.cli.runner.halting import halt
from towline.interfaces.cli.runner.options import Halt
from towline.operations.runners import kill


def command(context: click.Context, how: Halt) -> None:
    """End the runner of this machine at once, with SIGKILL. Nothing is lost: jobs go on, the next runner takes over."""
    halt(context, how, kill)
