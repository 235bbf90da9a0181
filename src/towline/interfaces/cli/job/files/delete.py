"""`tow job files delete`."""

from typing import Annotated

import click

from towline.interfaces.cli.completions import complete_job
from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.options import Yes
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.selection import confirm
from towline.interfaces.cli.session import open_session
from towline.operations.jobs import delete_job_files
from towline.operations.selection import job_row


def command(
    context: click.Context,
    job_db_id: Annotated[
        str, Argument(metavar="JOB_DB_ID", help="db_id or uuid, or its beginning.", autocompletion=complete_job)
    ],
    index: Annotated[int | None, Option("--index", "-i", help="Index, with a uuid.", metavar="N")] = None,
    all_states: Annotated[bool, Option("--all-states", "-as", help="Also before the job has ended.")] = False,
    force: Annotated[
        bool,
        Option("--force", "-f", refused="is not needed: a runner never loses the folder of a job that it works on"),
    ] = False,
    yes: Yes = False,
) -> None:
    """Delete the run folders of all attempts of a job; its outcome stays."""
    with open_session(context) as opened:
        row = job_row(opened, job_db_id, index)
        confirm(f"Delete the run folders of job {job_db_id}?", yes=yes)
        deleted = delete_job_files(opened, row, force=all_states)
    write_out("".join(f"{folder}\n" for folder in deleted))
