"""The commands as a click application, each loaded when it is used, and what their errors look like."""

import difflib
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from towline.errors import TowlineError, WaitTimedOut
from towline.interfaces.cli.commands import COMMANDS, Branch, Node
from towline.interfaces.cli.outline import help_text
from towline.interfaces.cli.parameters import HELP_NAMES, command_of
from towline.interfaces.cli.session import Session
from towline.settings import load_settings


class CommandGroup(click.Group):
    """A group whose commands are made from the table when they are asked for."""

    def __init__(self, path: tuple[str, ...], branch: Branch, **settings: Any) -> None:
        super().__init__(
            path[-1] if path else "tow", help=branch.help, hidden=branch.hidden, context_settings=HELP_NAMES, **settings
        )
        self.path, self.branch = path, branch

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands that are listed."""
        return [name for name, node in self.branch.children.items() if not node.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command or group called `cmd_name`, or None."""
        node = self.branch.children.get(cmd_name)
        return None if node is None else _command(node, (*self.path, cmd_name))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Names that begin so, from the table: no command is loaded for that."""
        from click.shell_completion import CompletionItem  # only when a word is completed

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self.branch.children[name].help) for name in names]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that is named, or an error with the names that are near."""
        name = args[0]
        if name not in self.branch.children and not name.startswith("-"):
            _load_plugins(ctx)
        if name not in self.branch.children and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, self.branch.children, n=3)
            where = " ".join(["tow", *self.path])
            hint = f"Did you mean {' or '.join(near)}?" if near else f"To see what there is: {where} --help"
            ctx.fail(
                f"there is no command {name!r} in `{where}`." + (f" {hint}" if load_settings().cli_suggestions else "")
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Carry out the command; who interrupts it gets the exit code that shells know."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("tow: interrupted", file=sys.stderr)
            raise click.exceptions.Exit(130) from None

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The same help as without click."""
        formatter.write(help_text(self.path, self.branch) + "\n")


def run_application(arguments: Sequence[str]) -> int:
    """Carry out a command; return the exit code."""
    session = Session()
    try:
        # Ends with SystemExit, with code 2 after a usage error.
        root().main(args=list(arguments), prog_name="tow", obj=session)
    except TowlineError as error:
        if session.full_exc:
            traceback.print_exc()
        else:
            print(f"tow: {error}", file=sys.stderr)
        return 3 if isinstance(error, WaitTimedOut) else 1
    except OSError as error:
        # A full disk or a folder without permission, in a place where nobody can say more about it.
        if session.full_exc:
            traceback.print_exc()
        else:
            print(f"tow: {error}; to see where: tow --full-exc and the same command", file=sys.stderr)
        return 1
    return 0


def root() -> CommandGroup:
    """The command `tow` with its options."""
    return CommandGroup(
        (),
        COMMANDS,
        callback=_begin,
        params=[
            click.Option(["--project", "-p"], metavar="NAME", shell_complete=_complete_project),
            click.Option(["--full-exc", "-fe"], is_flag=True),
            click.Option(["--profile", "-prof"], is_flag=True, hidden=True),
            click.Option(["--warn-project", "-wp"], is_flag=True),
            click.Option(["--install-completion"], is_flag=True, is_eager=True, callback=_install_completion),
            click.Option(["--show-completion"], is_flag=True, is_eager=True, callback=_show_completion),
        ],
    )


def _begin(project: str | None, full_exc: bool, warn_project: bool, profile: bool, **_: bool) -> None:
    context = click.get_current_context()
    context.obj.begin(project, full_exc=full_exc, warn_project=warn_project)
    if profile:
        from towline.interfaces.cli.profile import profiled  # rare

        context.with_resource(profiled())


def _complete_project(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return Session.complete_project(context, incomplete)


def _load_plugins(context: click.Context) -> None:
    """Add the commands of plugins; what is wrong with one is said."""
    # Looking for plugins takes longer than most commands; see there.
    from towline.interfaces.cli.plugins import load_plugins

    session: Session = context.find_root().obj
    if session.plugins_loaded or not load_settings().cli_load_plugins:
        return
    session.plugins_loaded = True
    for plugin in load_plugins(COMMANDS):
        if plugin.problem is not None and not context.resilient_parsing:
            print(
                f"tow: the plugin {plugin.name} ({plugin.package}) cannot be used: {plugin.problem}; "
                "to see where: tow plugin list --error",
                file=sys.stderr,
            )


def _install_completion(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from towline.interfaces.cli.shells import install  # rare

        click.echo(install(root()))
        context.exit()


def _show_completion(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from towline.interfaces.cli.shells import script  # rare

        click.echo(script(root()))
        context.exit()


def _command(node: Node, path: tuple[str, ...]) -> click.Command:
    if isinstance(node, Branch):
        return CommandGroup(path, node, no_args_is_help=True)
    function = getattr(import_module(node.module_name), node.function)
    return command_of(function, path[-1], hidden=node.hidden)
