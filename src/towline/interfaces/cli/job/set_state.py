"""`tow job set-state`."""

import click

from towline.interfaces.cli.changes import change_jobs
from towline.interfaces.cli.options import JobQuery, Json, MaybeOneJob, NewState, Verbosity, Yes
from towline.operations.jobs import set_job_states


def command(
    context: click.Context,
    new_state: NewState,
    chosen: MaybeOneJob,
    query: JobQuery,
    yes: Yes = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """Force jobs into a state, unchecked; their flows and children follow."""
    change_jobs(
        context,
        chosen,
        query,
        lambda opened, rows: set_job_states(opened, rows, new_state),
        verb=f"set to {new_state.value}",
        done=f"set to {new_state.value}",
        yes=yes,
        verbosity=verbosity,
        as_json=as_json,
    )
