"""`tow worker check`."""

from typing import Annotated

import click

from towline.interfaces.cli.completions import complete_worker
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.project.check import show_checks
from towline.interfaces.cli.session import project_of
from towline.operations.project_checks import Part, check_project


def command(
    context: click.Context,
    name: Annotated[str, Argument(metavar="NAME", help="The worker.", autocompletion=complete_worker)],
    errors: Annotated[bool, Option("--errors", "-e", help="Show the tracebacks of errors.")] = False,
    full: Annotated[bool, Option("--full", "-f", help="Compare all packages, and not only the main ones.")] = False,
    as_json: Json = False,
) -> None:
    """Check a worker: connection, scheduler, work_dir, disk, clock, Python and packages."""
    checks = check_project(project_of(context), parts=[Part.WORKER], worker=name, all_packages=full)
    show_checks(checks, errors=errors, as_json=as_json)
