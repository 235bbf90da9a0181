"""`tow runner kill`."""

import click

from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.runner.reports import describe
from towline.interfaces.cli.session import project_of
from towline.operations.runners import kill


def command(context: click.Context) -> None:
    """End the runner of this machine at once, with SIGKILL. Nothing is lost: jobs go on, the next runner takes over."""
    write_out(describe(kill(project_of(context))) + "\n")
