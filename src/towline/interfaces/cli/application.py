"""The commands as a typer application, each loaded when it is used, and what their errors look like."""

import difflib
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from towline.errors import TowlineError, WaitTimedOut
from towline.interfaces.cli.commands import COMMANDS, Branch, Leaf, Node
from towline.interfaces.cli.options import expanded
from towline.interfaces.cli.outline import help_text
from towline.interfaces.cli.session import Session

_HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class CommandGroup(TyperGroup):
    """A group whose commands are made from the table when they are asked for."""

    #: Where the group stands in the table.
    path: tuple[str, ...] = ()
    branch: Branch = COMMANDS

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands that are listed."""
        return [name for name, node in self.branch.children.items() if not node.hidden]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command or group called `cmd_name`, or None."""
        node = self.branch.children.get(cmd_name)
        return None if node is None else _command(node, (*self.path, cmd_name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named, or an error with the names that are near."""
        name = args[0]
        if name not in self.branch.children and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, self.branch.children, n=3)
            where = " ".join(["tow", *self.path])
            hint = f"Did you mean {' or '.join(near)}?" if near else f"To see what there is: {where} --help"
            ctx.fail(f"there is no command {name!r} in `{where}`. {hint}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The same help as without typer."""
        formatter.write(help_text(self.path, self.branch) + "\n")


def run_application(arguments: Sequence[str]) -> int:
    """Carry out a command; return the exit code."""
    session = Session()
    try:
        # Ends with SystemExit, with code 2 after a usage error.
        _root().main(args=list(arguments), prog_name="tow", obj=session)
    except TowlineError as error:
        if session.full_exc:
            traceback.print_exc()
        else:
            print(f"tow: {error}", file=sys.stderr)
        return 3 if isinstance(error, WaitTimedOut) else 1
    return 0


def _root() -> Any:
    app = typer.Typer(cls=CommandGroup, rich_markup_mode=None, context_settings=_HELP_NAMES)
    app.callback()(_root_options)
    return get_command(app)


def _root_options(
    context: typer.Context,
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", autocompletion=Session.complete_project)
    ] = None,
    full_exc: Annotated[bool, typer.Option("--full-exc", "-fe")] = False,
    warn_project: Annotated[bool, typer.Option("--warn-project", "-wp")] = False,
) -> None:
    context.obj.begin(project, full_exc=full_exc, warn_project=warn_project)


def _command(node: Node, path: tuple[str, ...]) -> Any:
    if isinstance(node, Branch):
        group = CommandGroup(
            name=path[-1],
            help=node.help,
            rich_markup_mode=None,
            hidden=node.hidden,
            context_settings=_HELP_NAMES,
            no_args_is_help=True,
        )
        group.path, group.branch = path, node
        return group
    return _leaf(node, path[-1])


def _leaf(leaf: Leaf, name: str) -> Any:
    function = import_module(leaf.module_name).command
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, hidden=leaf.hidden, context_settings=_HELP_NAMES)(expanded(function))
    return get_command(app)
