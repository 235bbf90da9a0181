"""`tow admin unlock`."""

import click

from towline.interfaces.cli.admin.freed import show_freed
from towline.interfaces.cli.options import HiddenForce, JobQuery, Json, Yes
from towline.interfaces.cli.selection import confirm, wanted_jobs
from towline.interfaces.cli.session import open_session
from towline.operations.database_upgrades import unlock_jobs


def command(
    context: click.Context, query: JobQuery, yes: Yes = False, force: HiddenForce = False, as_json: Json = False
) -> None:
    """Take jobs from the runner that holds them. The runner of the project takes them up anew, and asks the worker.

    Leases end by themselves when a runner is gone; this is for when you cannot wait. Attempts that have to end on a
    worker that is not configured any more are given up.
    """
    with open_session(context) as opened:
        wanted = wanted_jobs(opened, query)
        if query == JobQuery():
            confirm("Unlock all jobs that a runner holds?", yes=yes or force)
        show_freed(opened, unlock_jobs(opened, wanted), as_json=as_json)
