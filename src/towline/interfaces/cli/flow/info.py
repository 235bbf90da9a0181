"""`tow flow info`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import local_time, print_fields, print_json, print_table, state_text
from towline.interfaces.cli.documents import (
    detailed_job_document,
    flow_document,
    job_column_names,
    job_columns,
    job_document,
    needs_details,
)
from towline.interfaces.cli.options import Columns, FlowByJob, FlowId, Json, Verbosity
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.session import open_session
from towline.operations.flows import flow_info
from towline.operations.jobs import Page, Sort
from towline.operations.selection import flow_row


def command(
    context: click.Context,
    flow_db_id: FlowId,
    shown: Columns,
    job: FlowByJob = False,
    jobs_sort: Annotated[
        Sort, Option("--jobs-sort", "--sort", help="What to sort its jobs by; the first made come first.")
    ] = Sort.DB_ID,
    reverse_jobs_sort: Annotated[
        bool, Option("--reverse-jobs-sort", "-jrevs", "--reverse-sort", "-revs", help="The other way round.")
    ] = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """One flow and its jobs."""
    names = job_column_names(shown.output, verbosity)
    keys = shown.stored_data_key or []
    details = needs_details(names) or bool(keys)
    with open_session(context) as opened:
        row = flow_row(opened, flow_db_id, is_job=job)
        page = Page(jobs_sort, ascending=not reverse_jobs_sort)
        flow = flow_info(opened, row, jobs_page=page, details=details)
    if as_json:
        document = detailed_job_document if details else job_document
        jobs = [{**document(item), "parents": list(item.parents)} for item in flow.jobs_info]
        print_json({**flow_document(flow), "jobs_info": jobs})
        return
    print_fields(
        [
            ("flow", flow.flow_id),
            ("name", flow.name),
            ("state", state_text(flow.state)),
            ("jobs", ", ".join(f"{count} {state.value}" for state, count in flow.state_counts.items())),
            ("created on", local_time(flow.created_on)),
            ("updated on", local_time(flow.updated_on)),
            ("job store", flow.jobstore),
            ("metadata", dict(flow.flow_metadata) or None),
        ]
    )
    print_table(job_columns(names, keys), flow.jobs_info)
