"""`tow job todir`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import say
from towline.interfaces.cli.options import OneJob
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.selection import one_job
from towline.interfaces.cli.session import open_session
from towline.operations.job_folders import folder_of_job
from towline.operations.jobs import get_job
from towline.operations.run_folders import shell_in


def command(
    context: click.Context,
    chosen: OneJob,
    shell: Annotated[str, Option("--shell", "-s", help="The shell to start.", metavar="PROGRAM")] = "bash",
) -> None:
    """Open a shell in the run folder of a job, wherever that is; leave it with `exit`."""
    with open_session(context) as opened:
        job = get_job(opened, one_job(opened, chosen))
        say(folder_of_job(opened, job).path)
        code = shell_in(opened, job, shell)
    raise click.exceptions.Exit(code)
