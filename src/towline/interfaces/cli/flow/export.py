"""`tow flow export`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.display import plural, print_json, write_out
from towline.interfaces.cli.options import FlowByJob, FlowId, Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.progress import Bar
from towline.interfaces.cli.session import open_session
from towline.operations.flow_archives import export_flow
from towline.operations.selection import flow_row


def command(
    context: click.Context,
    flow_db_id: FlowId,
    path: Annotated[
        Path,
        Option("--output", "-o", help="Archive to be made: NAME.tar.zst, NAME.tar.gz, or a folder.", metavar="PATH"),
    ],
    job: FlowByJob = False,
    no_files: Annotated[bool, Option("--no-files", help="Leave the files in the run folders out.")] = False,
    as_json: Json = False,
) -> None:
    """Write a flow with its records, outputs, journal and files to an archive. It stays in the queue."""
    with open_session(context) as opened, Bar("export files") as bar:
        row = flow_row(opened, flow_db_id, is_job=job)
        done = export_flow(opened, row, path, files=not no_files, progress=bar.show)
    if as_json:
        print_json({**asdict(done), "path": str(done.path)})
        return
    parts = [plural(done.jobs, "job"), plural(done.outputs, "output"), plural(done.files, "file")]
    left = f"; {plural(done.skipped, 'link')} left out" if done.skipped else ""
    write_out(f"{', '.join(parts)} in {done.path}{left}\n")
