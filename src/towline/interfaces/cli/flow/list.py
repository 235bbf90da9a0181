"""`tow flow list`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import plural, print_json, suggest, write_out
from towline.interfaces.cli.documents import flow_columns, flow_document
from towline.interfaces.cli.options import FlowQuery, Json, Sorting, Verbosity
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.selection import page_of, wanted_flows
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import print_table
from towline.operations.flows import count_flows, list_flows


def command(
    context: click.Context,
    query: FlowQuery,
    sorting: Sorting,
    verbosity: Verbosity = 0,
    locked: Annotated[bool, Option("--locked", "-l", help="Only flows that the runner is busy with.")] = False,
    count: Annotated[bool, Option("--count", help="Print only how many there are.")] = False,
    as_json: Json = False,
) -> None:
    """List flows, the newest first."""
    with open_session(context) as opened:
        wanted, page = wanted_flows(opened, query, locked=locked), page_of(sorting)
        number = count_flows(opened, wanted)
        if count:
            write_out(f"{number}\n")
            return
        flows = list_flows(opened, wanted, page, with_jobs=verbosity > 0 and not as_json)
    if as_json:
        print_json([flow_document(flow) for flow in flows])
        return
    print_table(flow_columns(verbosity), flows)
    if number > len(flows):
        suggest(f"{len(flows)} of {plural(number, 'flow')}; for all of them: --max-results 0")
