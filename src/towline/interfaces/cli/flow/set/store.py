"""`tow flow set store`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.options import FlowByJob, FlowId
from towline.interfaces.cli.parameters import Argument
from towline.interfaces.cli.session import open_session
from towline.operations.flows import set_flow_store
from towline.operations.selection import flow_row


def command(
    context: click.Context,
    flow_db_id: FlowId,
    store: Annotated[
        str | None, Argument(metavar="STORE", help="One of optional_jobstores; left out, the project's own.")
    ] = None,
    job: FlowByJob = False,
) -> None:
    """Choose where the outputs of a flow go, before any of its jobs has begun."""
    with open_session(context) as opened:
        set_flow_store(opened, flow_row(opened, flow_db_id, is_job=job), store)
    write_out(f"outputs go to {'the job store of the project' if store is None else store}\n")
