"""`tow project remove`."""

from typing import Annotated

from towline.interfaces.cli.display import say, write_out
from towline.interfaces.cli.options import Yes
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.selection import confirm
from towline.interfaces.cli.session import Session
from towline.operations.project_removal import plan_project_removal, remove_project


def command(
    name: Annotated[
        str, Argument(metavar="NAME", help="Name of the project.", autocompletion=Session.complete_project)
    ],
    keep_folders: Annotated[bool, Option("--keep-folders", "-k", help="Delete the file only.")] = False,
    yes: Yes = False,
    force: Annotated[bool, Option("--force", "-f", hidden=True)] = False,
) -> None:
    """Remove a project: its file, and its folder with queue, outputs and run folders."""
    planned = plan_project_removal(name, keep_folders=keep_folders)
    for path, reason in planned.kept:
        say(f"{path} stays: it {reason}")
    going = [*planned.paths, *([] if planned.file is None else [planned.file])]
    listed = "".join(f"\n  {path}" for path in going)
    confirm(f"Delete these, with everything in them?{listed}\n", yes=yes or force)
    remove_project(name, keep_folders=keep_folders)
    write_out(f"Removed the project {name}:{listed}\n")
