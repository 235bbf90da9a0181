"""`tow flow clean`."""

from dataclasses import asdict
from typing import Annotated

import click

from towline.errors import NoSuchFlow
from towline.interfaces.cli.display import plural, print_json, say, write_out
from towline.interfaces.cli.documents import flow_columns
from towline.interfaces.cli.options import FlowQuery, Json, Verbosity, Yes
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.progress import Bar
from towline.interfaces.cli.selection import confirm, wanted_flows
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import print_table
from towline.operations.flows import clean_flows, list_flows


def command(
    context: click.Context,
    query: FlowQuery,
    locked: Annotated[bool, Option("--locked", "-l", help="Only flows that the runner is busy with.")] = False,
    all_states: Annotated[
        bool, Option("--all-states", "-as", help="Also of jobs that have not ended; never of those in flight.")
    ] = False,
    force: Annotated[
        bool,
        Option("--force", "-f", refused="is not needed: a runner never loses the folder of a job that it works on"),
    ] = False,
    verbosity: Verbosity = 0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Delete the run folders of flows; the jobs and their outputs stay. -v lists the flows before asking."""
    with open_session(context) as opened:
        flows = list_flows(opened, wanted_flows(opened, query, locked=locked))
        if not flows:
            raise NoSuchFlow("no flow is like that; `tow flow list` with the same options shows which are")
        if verbosity and not as_json:
            print_table(flow_columns(0), flows)
        confirm(f"Delete the run folders of {plural(len(flows), 'flow')}?", yes=yes)
        with Bar("delete run folders") as bar:
            cleaned = clean_flows(opened, [flow.id for flow in flows], all_states=all_states, progress=bar.show)
    if as_json:
        print_json(asdict(cleaned))
        return
    write_out(f"{plural(len(cleaned.deleted_folders), 'run folder')} of {plural(cleaned.jobs, 'job')} deleted\n")
    if cleaned.kept_jobs:
        hint = "" if all_states else "; --all-states takes those that are not in flight too"
        say(f"{plural(cleaned.kept_jobs, 'job')} not looked at: not ended yet{hint}")
