"""`tow project edit replace`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import plural, say, write_out
from towline.interfaces.cli.options import HiddenForce, Yes
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.selection import confirm
from towline.interfaces.cli.session import project_of
from towline.operations.project_edits import carry_out, plan_replacement


def command(
    context: click.Context,
    old_string: Annotated[str, Argument(metavar="OLD_STRING", help="Text to look for, as it stands in the file.")],
    new_string: Annotated[str, Argument(metavar="NEW_STRING", help="Text to put in its place.")],
    everywhere: Annotated[bool, Option("--all", "-a", help="In the files of all projects.")] = False,
    no_backup: Annotated[bool, Option("--no-backup", "-nb", help="Keep no copy of the file (.bak).")] = False,
    yes: Yes = False,
    force: HiddenForce = False,
) -> None:
    """Replace text in the file of the project; shows the difference, and writes only what is valid."""
    edits = plan_replacement(project_of(context), old_string, new_string, everywhere=everywhere)
    for edit in edits:
        write_out(edit.difference)
    confirm(f"Write {plural(len(edits), 'file')}?", yes=yes or force)
    for copy in carry_out(edits, backup=not no_backup):
        say(f"the file as it was: {copy}")
    write_out(f"{plural(len(edits), 'file')} written\n")
