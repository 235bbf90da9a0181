"""`tow job set-state`."""

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import Acting, JobQuery, MaybeOneJob, NewState
from towline.operations.jobs import set_job_states


def command(
    context: click.Context,
    new_state: NewState,
    chosen: MaybeOneJob,
    query: JobQuery,
    acting: Acting,
) -> None:
    """Force jobs into a state, unchecked; their flows and children follow."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows, progress: set_job_states(opened, rows, new_state, progress=progress),
        acting,
        verb=f"set to {new_state.value}",
        done=f"set to {new_state.value}",
    )
