"""`tow runner run`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import say
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.runner.options import Interactive, LogLevel, LogLevelOption, SetPid
from towline.interfaces.cli.session import project_of
from towline.operations.runners import log_file, run_in_foreground

_ONE_LOOP = "chooses a part of the loop of jobflow-remote; here one loop does everything: leave it out"


def command(
    context: click.Context,
    log_level: LogLevelOption = None,
    set_pid: SetPid = False,
    transfer: Annotated[bool, Option("--transfer", "-t", refused=_ONE_LOOP)] = False,
    complete: Annotated[bool, Option("--complete", "-com", refused=_ONE_LOOP)] = False,
    queue: Annotated[bool, Option("--queue", "-q", refused=_ONE_LOOP)] = False,
    checkout: Annotated[bool, Option("--checkout", "-cho", refused=_ONE_LOOP)] = False,
    daemonized: Annotated[
        bool, Option("--daemonized", "-d", refused="is what `tow runner start` is for; type that")
    ] = False,
    connect_interactive: Interactive = False,
) -> None:
    """Be the runner, in this terminal, until Ctrl-C. Jobs go on running after that."""
    say(f"This is the runner now, and it logs to {log_file(project_of(context))}. Ctrl-C ends it; jobs go on.")
    raise click.exceptions.Exit(run_in_foreground(project_of(context), LogLevel.text(log_level)))
