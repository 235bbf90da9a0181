"""`tow job files ls`."""

from dataclasses import asdict

import click

from towline.interfaces.cli.display import local_time, print_json, say, size
from towline.interfaces.cli.options import Json, OneJob
from towline.interfaces.cli.selection import one_job
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import Column, print_table
from towline.operations.job_folders import folder_of_job
from towline.operations.jobs import get_job


def command(context: click.Context, chosen: OneJob, as_json: Json = False) -> None:
    """List the run folder of a job."""
    with open_session(context) as opened:
        job = get_job(opened, one_job(opened, chosen))
        entries = folder_of_job(opened, job).entries()
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    say(f"{job.run_dir}")
    columns = [
        Column("Path", lambda entry: f"{entry.path}/" if entry.is_folder else entry.path),
        Column("Size", lambda entry: "" if entry.is_folder else size(entry.size_bytes), right=True),
        Column("Modified", lambda entry: local_time(entry.modified), cut=True),
        Column("Of", lambda entry: "towline" if entry.is_own else "job", cut=True),
    ]
    print_table(columns, entries)
