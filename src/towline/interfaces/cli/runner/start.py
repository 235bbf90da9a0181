"""`tow runner start`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.runner.options import Interactive, LogLevel, LogLevelOption
from towline.interfaces.cli.runner.reports import describe
from towline.interfaces.cli.session import project_of
from towline.operations.runners import start

_ONE_PROCESS = "has no meaning: one process does everything, and is not what jobs wait for. Leave it out"


def command(
    context: click.Context,
    log_level: LogLevelOption = None,
    single: Annotated[bool, Option("--single", "-s", help="One process for everything, which is always so.")] = False,
    transfer: Annotated[int | None, Option("--transfer", "-t", refused=_ONE_PROCESS)] = None,
    complete: Annotated[int | None, Option("--complete", "-com", refused=_ONE_PROCESS)] = None,
    connect_interactive: Interactive = False,
) -> None:
    """Start the runner in the background. It is started again when it ends unexpectedly."""
    found = start(project_of(context), LogLevel.text(log_level))
    write_out(f"{describe(found)}\nlog: {found.log_file}\n")
