"""`tow runner run`."""

import click

from towline.interfaces.cli.runner.options import LogLevel, LogLevelOption
from towline.interfaces.cli.session import project_of
from towline.operations.runners import run_in_foreground


def command(context: click.Context, log_level: LogLevelOption = None) -> None:
    """Be the runner, in this terminal, until Ctrl-C. Jobs go on running after that."""
    raise click.exceptions.Exit(run_in_foreground(project_of(context), LogLevel.text(log_level)))
