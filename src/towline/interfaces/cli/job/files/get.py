"""`tow job files get`."""

from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.completions import complete_job
from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.progress import BytesBar, goes_on, tell_changed
from towline.interfaces.cli.session import open_session
from towline.operations.command_runs import changed_files, declared_outputs
from towline.operations.job_folders import folder_of_job
from towline.operations.jobs import get_job
from towline.operations.selection import job_row


def command(
    context: click.Context,
    job_db_id: Annotated[
        str, Argument(metavar="JOB_DB_ID", help="db_id or uuid, or its beginning.", autocompletion=complete_job)
    ],
    filenames: Annotated[
        list[str] | None,
        Argument(
            metavar="FILENAMES...",
            help="Names in the run folder, or patterns such as '*.out'; otherwise what a command declared.",
        ),
    ] = None,
    index: Annotated[int | None, Option("--index", "-i", help="Index, with a uuid.", metavar="N")] = None,
    path: Annotated[Path, Option("--path", "-p", help="Folder to copy to.", metavar="FOLDER")] = Path(),
) -> None:
    """Copy files out of the run folder of a job, wherever it is. A transfer that was cut goes on where it stopped."""
    with open_session(context) as opened:
        job = get_job(opened, job_row(opened, job_db_id, index))
        names = filenames or declared_outputs(opened, job)
        folder = folder_of_job(opened, job, goes_on)
        with BytesBar(f"from {job.worker}") as bar:
            copies = folder.fetch(names, path, bar.show, only_files=not filenames)
        tell_changed(changed_files(opened, job, path, copies))
    write_out("".join(f"{copy}\n" for copy in copies))
