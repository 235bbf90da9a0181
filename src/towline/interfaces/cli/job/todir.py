"""`tow job todir`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import say
from towline.interfaces.cli.options import OneJob
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.selection import one_job
from towline.interfaces.cli.session import open_session
from towline.operations.jobs import get_job
from towline.operations.run_folders import run_folder_of, shell_in


def command(
    context: click.Context,
    chosen: OneJob,
    shell: Annotated[str, Option("--shell", "-s", help="The shell to start.", metavar="PROGRAM")] = "bash",
) -> None:
    """Open a shell in the run folder of a job; leave it with `exit`."""
    with open_session(context) as opened:
        folder = run_folder_of(get_job(opened, one_job(opened, chosen)))
    say(f"{folder}")
    raise click.exceptions.Exit(shell_in(folder, shell))
