"""`tow project worker list`."""

import click

from towline.interfaces.cli.display import print_json
from towline.interfaces.cli.options import Json, Verbosity
from towline.interfaces.cli.session import project_of
from towline.interfaces.cli.tables import Column, print_table
from towline.operations.projects import list_workers

_USUAL = ("type", "scheduler_type", "execution", "max_jobs", "work_dir")
_DETAILS = ("resources", "pre_run", "post_run", "preload", "time_limit_grace_seconds", "timeout_execute")


def command(context: click.Context, verbosity: Verbosity = 0, as_json: Json = False) -> None:
    """List the workers of the project."""
    workers = list_workers(project_of(context))
    if as_json:
        print_json(workers)
        return
    keys = _USUAL + _DETAILS if verbosity else _USUAL
    columns = [Column("Name", lambda item: item[0])]
    columns += [Column(key, lambda item, key=key: item[1][key]) for key in keys]  # type: ignore[misc]
    print_table(columns, workers.items())
