"""`tow admin unlock-flow`."""

import click

from towline.interfaces.cli.admin.freed import show_freed
from towline.interfaces.cli.options import FlowQuery, HiddenForce, Json, Yes
from towline.interfaces.cli.selection import confirm, wanted_flows
from towline.interfaces.cli.session import open_session
from towline.operations.database_upgrades import unlock_flows


def command(
    context: click.Context, query: FlowQuery, yes: Yes = False, force: HiddenForce = False, as_json: Json = False
) -> None:
    """Take all jobs of flows from the runner that holds them; a flow has no lock of its own."""
    with open_session(context) as opened:
        wanted = wanted_flows(opened, query)
        if query == FlowQuery():
            confirm("Unlock the jobs of all flows?", yes=yes or force)
        show_freed(opened, unlock_flows(opened, wanted), as_json=as_json)
