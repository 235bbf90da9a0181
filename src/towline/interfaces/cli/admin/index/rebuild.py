"""`tow admin index rebuild`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import plural, print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.session import open_session
from towline.operations.database_upgrades import rebuild_indexes


def command(
    context: click.Context,
    foreground: Annotated[
        bool, Option("--foreground", "-fg", refused="is how it is always done: the command ends when it is done")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write every index anew, and put right what the database knows for planning its queries."""
    with open_session(context) as opened:
        names = rebuild_indexes(opened)
    if as_json:
        print_json({"indexes": list(names)})
        return
    write_out(f"{plural(len(names), 'index').replace('indexs', 'indexes')} rebuilt\n")
