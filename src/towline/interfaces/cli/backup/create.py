"""`tow backup create`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.backup.options import MongoPath, Python
from towline.interfaces.cli.display import plural, print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.progress import Bar
from towline.interfaces.cli.session import open_session
from towline.operations.backups import create_backup


def command(
    context: click.Context,
    backup_dir: Annotated[
        Path, Argument(metavar="BACKUP_DIR", help="Folder for the backup; otherwise the current one.")
    ] = Path(),
    compress: Annotated[bool, Option("--compress", "-c", help="Compress the files.")] = False,
    mongo_path: MongoPath = None,
    python: Python = False,
    as_json: Json = False,
) -> None:
    """Write the queue, and the outputs in its database, to a folder. The runner and its jobs go on meanwhile."""
    with open_session(context) as opened, Bar("back up") as bar:
        manifest = create_backup(opened, backup_dir, compress=compress, progress=bar.show)
    if as_json:
        print_json({**asdict(manifest), "folder": str(backup_dir.resolve())})
        return
    jobs, outputs = plural(manifest.rows["job"], "job"), plural(manifest.rows["document"], "document")
    write_out(f"{jobs} and {outputs} are backed up in {backup_dir.resolve()}\n")
