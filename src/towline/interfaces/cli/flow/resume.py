"""`tow flow resume`."""

import click

from towline.interfaces.cli.display import plural, write_out
from towline.interfaces.cli.options import FlowByJob, FlowId
from towline.interfaces.cli.session import open_session
from towline.operations.flows import resume_flow
from towline.operations.selection import flow_row


def command(context: click.Context, flow_db_id: FlowId, job: FlowByJob = False) -> None:
    """Let every job of a flow go on that was paused or stopped."""
    with open_session(context) as opened:
        number = resume_flow(opened, flow_row(opened, flow_db_id, is_job=job))
    write_out(f"{plural(number, 'job')} resumed\n")
