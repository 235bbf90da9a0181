"""`tow backup restore`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.backup.options import MongoPath, Python
from towline.interfaces.cli.display import plural, print_json, write_out
from towline.interfaces.cli.options import Json, Yes
from towline.interfaces.cli.parameters import Argument
from towline.interfaces.cli.progress import Bar
from towline.interfaces.cli.selection import confirm
from towline.interfaces.cli.session import open_session
from towline.operations.backups import read_backup, restore_backup, rows_in_queue


def command(
    context: click.Context,
    backup_dir: Annotated[
        Path, Argument(metavar="BACKUP_DIR", help="Folder of the backup; otherwise the current one.")
    ] = Path(),
    mongo_path: MongoPath = None,
    python: Python = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Fill the queue from a backup, whichever kind of database it was made of; what is in the queue is replaced."""
    manifest = read_backup(backup_dir)
    with open_session(context) as opened:
        if rows_in_queue(opened):
            jobs = plural(opened.database.read("SELECT count(*) FROM job")[0][0], "job")
            confirm(f"Replace everything in {opened.database.place}, {jobs} among it?", yes=yes)
        with Bar("restore") as bar:
            manifest = restore_backup(opened, backup_dir, bar.show)
    if as_json:
        print_json(asdict(manifest))
        return
    jobs, outputs = plural(manifest.rows["job"], "job"), plural(manifest.rows["document"], "document")
    write_out(f"{jobs} and {outputs} of {manifest.created_at[:19]} UTC are restored\n")
