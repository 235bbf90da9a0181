"""`tow runner restart`."""

import click

from towline.errors import RunnerNotActive
from towline.interfaces.cli.display import say, write_out
from towline.interfaces.cli.runner.options import LogLevel, LogLevelOption, MaxWait
from towline.interfaces.cli.runner.reports import describe
from towline.interfaces.cli.session import project_of
from towline.operations.runners import start, stop


def command(context: click.Context, log_level: LogLevelOption = None, max_wait: MaxWait = 120) -> None:
    """Stop the runner, if there is one, and start it again. Jobs go on running meanwhile."""
    try:
        stop(project_of(context), max_wait or None)
    except RunnerNotActive as error:
        say(f"tow: {error}")
    write_out(describe(start(project_of(context), LogLevel.text(log_level))) + "\n")
