"""`tow runner start`."""

import click

from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.runner.options import LogLevel, LogLevelOption
from towline.interfaces.cli.runner.reports import describe
from towline.interfaces.cli.session import project_of
from towline.operations.runners import start


def command(context: click.Context, log_level: LogLevelOption = None) -> None:
    """Start the runner in the background. It is started again when it ends unexpectedly."""
    found = start(project_of(context), LogLevel.text(log_level))
    write_out(f"{describe(found)}\nlog: {found.log_file}\n")
