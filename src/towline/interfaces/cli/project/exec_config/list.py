"""`tow project exec_config list`."""

import click

from towline.interfaces.cli.display import print_json, say
from towline.interfaces.cli.options import Json, Verbosity
from towline.interfaces.cli.session import project_of
from towline.interfaces.cli.tables import Column, print_table
from towline.operations.projects import list_exec_configs


def command(context: click.Context, verbosity: Verbosity = 0, as_json: Json = False) -> None:
    """List the environments of the project."""
    configs = list_exec_configs(project_of(context))
    if as_json:
        print_json(configs)
        return
    if not configs:
        say("the project has no exec_config; add one under `exec_config` in its file")
        return
    keys = ("modules", "export", "pre_run", "post_run") if verbosity else ("modules", "export")
    columns = [Column("Name", lambda item: item[0])]
    columns += [Column(key, lambda item, key=key: item[1][key]) for key in keys]  # type: ignore[misc]
    print_table(columns, configs.items())
