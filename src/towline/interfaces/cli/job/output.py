"""`tow job output`."""

from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.display import print_json, say
from towline.interfaces.cli.options import OneJob
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.selection import one_job
from towline.interfaces.cli.session import open_session
from towline.operations.job_outputs import job_output, plain_output, write_output
from towline.operations.jobs import get_job


def command(
    context: click.Context,
    chosen: OneJob,
    path: Annotated[Path | None, Option("--path", "-p", help="File to write; .json or .yaml.", metavar="FILE")] = None,
    load: Annotated[bool, Option("--load", "-l", help="Put in what is in additional stores.")] = False,
) -> None:
    """The result of a job, as JSON."""
    with open_session(context) as opened:
        output = job_output(opened, get_job(opened, one_job(opened, chosen)), load=load)
    if path is None:
        print_json(plain_output(output))
    else:
        write_output(output, path)
        say(f"written to {path}")
