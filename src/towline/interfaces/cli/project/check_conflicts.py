"""`tow project check-conflicts`."""

from dataclasses import asdict

import click

from towline.interfaces.cli.display import print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.tables import Column, print_table
from towline.operations.project_conflicts import find_conflicts


def command(as_json: Json = False) -> None:
    """Look for folders, queues and job stores that several projects share; fails when that does harm."""
    conflicts = find_conflicts()
    if as_json:
        print_json([asdict(conflict) for conflict in conflicts])
    elif not conflicts:
        write_out("the projects share nothing\n")
    else:
        columns = [
            Column("Shared", lambda item: item.what, cut=True),
            Column("Where", lambda item: item.where),
            Column("Projects", lambda item: ", ".join(item.projects)),
            Column("Does harm", lambda item: "yes" if item.is_harmful else "", cut=True),
            Column("Why", lambda item: item.advice),
        ]
        print_table(columns, conflicts)
    if any(conflict.is_harmful for conflict in conflicts):
        raise click.exceptions.Exit(1)
