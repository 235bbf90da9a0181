"""`tow project show`."""

import click

from towline.interfaces.cli.display import print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.session import project_of
from towline.operations.projects import show_project, show_project_text


def command(context: click.Context, as_json: Json = False) -> None:
    """Show every value in force, secrets masked."""
    if as_json:
        print_json(show_project(project_of(context)))
    else:
        write_out(show_project_text(project_of(context)))
