"""`tow runner run`."""

import typer

from towline.interfaces.cli.runner.options import LogLevel, LogLevelOption
from towline.interfaces.cli.session import project_of
from towline.operations.runners import run_in_foreground


def command(context: typer.Context, log_level: LogLevelOption = None) -> None:
    """Be the runner, in this terminal, until Ctrl-C. Jobs go on running after that."""
    raise typer.Exit(run_in_foreground(project_of(context), LogLevel.text(log_level)))
