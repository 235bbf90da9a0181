"""`tow job rerun`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Option
from towline.operations.jobs import rerun_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    acting: ActingOnMany,
    force: Annotated[
        bool,
        Option("--force", "-f", help="Also jobs that ended well or were stopped, and all after them."),
    ] = False,
    no_delete: Annotated[
        bool, Option("--no-delete", "-nd", help="Keep the run folders of earlier attempts, which is always so.")
    ] = False,
) -> None:
    """Run jobs again, each as a new attempt; outcome and folder of the earlier ones are kept."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows, progress: rerun_jobs(
            opened, rows, force=force, raise_on_error=acting.raise_on_error, progress=progress
        ),
        acting,
        verb="rerun",
        done="run again",
    )
