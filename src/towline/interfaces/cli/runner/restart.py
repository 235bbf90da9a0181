"""`tow runner restart`."""

import click

from towline.interfaces.cli.display import say, write_out
from towline.interfaces.cli.runner.options import LogLevel, LogLevelOption, MaxWait
from towline.interfaces.cli.runner.reports import describe
from towline.interfaces.cli.session import project_of
from towline.operations.runners import restart


def command(context: click.Context, log_level: LogLevelOption = None, max_wait: MaxWait = 120) -> None:
    """Stop the runner, if there is one, and start it again with the same options. Jobs go on running meanwhile."""
    restarted = restart(project_of(context), max_wait or None, LogLevel.text(log_level))
    if not restarted.was_active:
        say("tow: no runner was active; one was started")
    write_out(describe(restarted.status) + "\n")
