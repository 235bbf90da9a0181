"""`tow plugin list`."""

import sys
from typing import Annotated

from towline.interfaces.cli.display import print_json, say, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.plugins import GROUP, load_plugins
from towline.interfaces.cli.tables import Column, print_table
from towline.settings import load_settings


def command(
    error: Annotated[
        bool, Option("--error", "-e", help="Show the tracebacks of plugins that cannot be loaded.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the plugins that are installed, with their commands and what is wrong with them."""
    plugins = load_plugins()
    if as_json:
        print_json(
            [
                {"name": plugin.name, "package": plugin.package, "commands": plugin.commands, "problem": plugin.problem}
                | ({"traceback": plugin.details} if error else {})
                for plugin in plugins
            ]
        )
        return
    if not load_settings().cli_load_plugins:
        say("cli_load_plugins is false: commands of plugins are not loaded")
    if not plugins:
        say(f"no plugin is installed; a package offers one by the entry point group {GROUP!r}")
        return
    columns = [
        Column("Plugin", lambda plugin: plugin.name, cut=True),
        Column("Package", lambda plugin: plugin.package),
        Column("Commands", lambda plugin: ", ".join(plugin.commands)),
        Column("Problem", lambda plugin: plugin.problem),
    ]
    print_table(columns, plugins)
    if error:
        for plugin in plugins:
            if plugin.details:
                write_out(f"\n{plugin.name}:\n{plugin.details}")
    sys.stdout.flush()
