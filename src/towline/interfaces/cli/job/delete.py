"""`tow job delete`."""

from typing import Annotated

import click

from towline.interfaces.cli.changes import report
from towline.interfaces.cli.display import plural
from towline.interfaces.cli.options import ActingOnMany, JobQuery, MaybeOneJob
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.progress import Bar
from towline.interfaces.cli.selection import confirm, jobs_to_change
from towline.interfaces.cli.session import open_session
from towline.operations.jobs import Changed, delete_jobs


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    acting: ActingOnMany,
    output: Annotated[bool, Option("--output", "-o", help="Delete their outputs too.")] = False,
    files: Annotated[bool, Option("--files", "-fi", help="Delete their run folders too.")] = False,
    everything: Annotated[bool, Option("--all", "-a", help="Delete outputs and run folders too.")] = False,
) -> None:
    """Take jobs out of the queue; those in flight are ended first."""
    outputs, files = output or everything, files or everything
    changed = Changed()
    with open_session(context, patience_seconds=acting.wait) as opened:
        # What has to be confirmed here says more than "no job was chosen".
        rows = jobs_to_change(opened, chosen, query, "delete", yes=True)
        if rows:
            also = " with " * (outputs or files) + " and ".join(["outputs"] * outputs + ["run folders"] * files)
            confirm(f"Delete {plural(len(rows), 'job')}{also}?", yes=acting.yes)
            with Bar(f"delete {plural(len(rows), 'job')}{also}") as bar:
                changed = delete_jobs(
                    opened,
                    rows,
                    outputs=outputs,
                    files=files,
                    raise_on_error=acting.raise_on_error,
                    progress=bar.show,
                )
    report(changed, acting, done="deleted")
