"""`tow runner status`."""

import click

from towline.interfaces.cli.display import print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.runner.reports import describe, status_document
from towline.interfaces.cli.session import project_of
from towline.operations.runners import status


def command(context: click.Context, as_json: Json = False) -> None:
    """Whether a runner is active, and where."""
    found = status(project_of(context))
    if as_json:
        print_json(status_document(found))
    else:
        write_out(describe(found) + "\n")
