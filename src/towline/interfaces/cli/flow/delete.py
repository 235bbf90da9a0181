"""`tow flow delete`."""

from dataclasses import asdict
from typing import Annotated

import click

from towline.errors import NoSuchFlow
from towline.interfaces.cli.display import plural, print_json, write_out
from towline.interfaces.cli.documents import flow_columns
from towline.interfaces.cli.options import Acting, FlowQuery, HiddenForce
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.progress import Bar
from towline.interfaces.cli.selection import confirm, wanted_flows
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import print_table
from towline.operations.flows import delete_flows, list_flows


def command(
    context: click.Context,
    query: FlowQuery,
    acting: Acting,
    maximum: Annotated[
        int, Option("--max", "-m", help="Refuse to delete more flows; 0 is no limit.", metavar="N", min=0)
    ] = 10,
    output: Annotated[bool, Option("--output", "-o", help="Delete the outputs of the jobs too.")] = False,
    files: Annotated[bool, Option("--files", "-fi", help="Delete the run folders of the jobs too.")] = False,
    everything: Annotated[bool, Option("--all", "-a", help="Delete outputs and run folders too.")] = False,
    keep_processes: Annotated[
        bool, Option("--keep-processes", "-kp", help="Let processes of jobs in flight run on, unknown to the queue.")
    ] = False,
    force: HiddenForce = False,
) -> None:
    """Take flows with all their jobs out of the queue; jobs in flight are ended. -v lists the flows before asking."""
    outputs, files = output or everything, files or everything
    with open_session(context, patience_seconds=acting.wait) as opened:
        flows = list_flows(opened, wanted_flows(opened, query))
        if not flows:
            raise NoSuchFlow("no flow is like that; `tow flow list` with the same options shows which are")
        if acting.verbosity and not acting.as_json:
            print_table(flow_columns(0), flows)
        if not maximum or len(flows) <= maximum:
            jobs = sum(flow.job_count for flow in flows)
            also = " with " * (outputs or files) + " and ".join(["outputs"] * outputs + ["run folders"] * files)
            confirm(f"Delete {plural(len(flows), 'flow')} with {plural(jobs, 'job')}{also}?", yes=acting.yes or force)
        with Bar(f"delete {plural(len(flows), 'flow')}") as bar:
            deleted = delete_flows(
                opened,
                [flow.id for flow in flows],
                max_limit=maximum,
                outputs=outputs,
                files=files,
                keep_processes=keep_processes,
                progress=bar.show,
            )
    if acting.as_json:
        print_json(asdict(deleted))
        return
    write_out(f"{plural(len(deleted.flow_ids), 'flow')} with {plural(deleted.jobs, 'job')} deleted\n")
    if deleted.deleted_folders:
        write_out(f"{plural(len(deleted.deleted_folders), 'run folder')} deleted\n")
