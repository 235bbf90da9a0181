"""`tow flow info`."""

from typing import TYPE_CHECKING, Annotated

import click

from towline.errors import InvalidRequest
from towline.interfaces.cli.display import local_time, print_json, state_text
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
from towline.interfaces.cli.reports import by_name, print_counts
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import print_fields, print_table
from towline.operations.flows import flow_info
from towline.operations.jobs import Page, Sort
from towline.operations.selection import flow_row

if TYPE_CHECKING:
    from towline.operations.flows import FlowInfo


def command(
    context: click.Context,
    flow_db_id: FlowId,
    shown: Columns,
    job: FlowByJob = False,
    sort: Annotated[
        Sort | None, Option("--sort", help="What to sort its jobs by; the newest or largest come first.")
    ] = None,
    reverse_sort: Annotated[bool, Option("--reverse-sort", "-revs", help="Oldest or smallest first.")] = False,
    jobs_sort: Annotated[
        Sort | None, Option("--jobs-sort", help="The same as --sort; without both, the first made come first.")
    ] = None,
    reverse_jobs_sort: Annotated[bool, Option("--reverse-jobs-sort", "-jrevs", help="As --reverse-sort.")] = False,
    report: Annotated[bool, Option("--report", "-rep", help="Show numbers and times instead of the jobs.")] = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """One flow and its jobs."""
    names = job_column_names(shown.output, verbosity)
    keys = shown.stored_data_key or []
    details = needs_details(names) or bool(keys)
    page = _page(sort, jobs_sort, reverse=reverse_sort or reverse_jobs_sort)
    with open_session(context) as opened:
        row = flow_row(opened, flow_db_id, is_job=job)
        flow = flow_info(opened, row, jobs_page=page, details=details)
    if as_json:
        document = detailed_job_document if details else job_document
        jobs = [{**document(item), "parents": list(item.parents)} for item in flow.jobs_info]
        print_json({**flow_document(flow), "jobs_info": jobs, **({"report": _report(flow)} if report else {})})
        return
    print_fields(
        [
            ("flow", flow.flow_id),
            ("name", flow.name),
            ("state", state_text(flow.state)),
            ("needs attention", "\n".join(flow.attention) or None),
            ("jobs", ", ".join(f"{count} {state.value}" for state, count in flow.state_counts.items())),
            ("created on", local_time(flow.created_on)),
            ("updated on", local_time(flow.updated_on)),
            ("job store", flow.jobstore),
            ("metadata", dict(flow.flow_metadata) or None),
        ]
    )
    if report:
        _print_report(flow)
    else:
        print_table(job_columns(names, keys), flow.jobs_info)


def _page(sort: Sort | None, jobs_sort: Sort | None, *, reverse: bool) -> Page:
    if sort is not None and jobs_sort is not None and sort is not jobs_sort:
        raise InvalidRequest("--sort and --jobs-sort mean the same; give one of them")
    chosen = sort or jobs_sort
    # Nobody said an order: as they were made, or the other way round.
    return Page(Sort.DB_ID, ascending=not reverse) if chosen is None else Page(chosen, ascending=reverse)


def _report(flow: "FlowInfo") -> dict[str, object]:
    times = [job.run_time for job in flow.jobs_info if job.run_time is not None]
    starts = [job.start_time for job in flow.jobs_info if job.start_time is not None]
    ends = [job.end_time for job in flow.jobs_info if job.end_time is not None]
    workers: dict[str, int] = {}
    for worker in flow.workers:
        workers[worker] = workers.get(worker, 0) + 1
    return {
        "jobs": flow.job_count,
        "state_counts": by_name(flow.state_counts),
        "first_start": min(starts, default=None),
        "last_end": max(ends, default=None),
        "run_time_seconds": sum(times),
        "workers": workers,
    }


def _print_report(flow: "FlowInfo") -> None:
    from towline.interfaces.cli.display import duration  # shown here only

    report = _report(flow)
    starts = [job.start_time for job in flow.jobs_info if job.start_time is not None]
    ends = [job.end_time for job in flow.jobs_info if job.end_time is not None]
    print_counts("Jobs", flow.state_counts)
    print_fields(
        [
            ("first start", local_time(min(starts, default=None)) or None),
            ("last end", local_time(max(ends, default=None)) or None),
            ("run time of all", duration(sum(job.run_time or 0.0 for job in flow.jobs_info))),
            ("workers", report["workers"]),
        ]
    )
    longest = sorted(flow.jobs_info, key=lambda job: job.run_time or 0.0, reverse=True)[:5]
    print_table(job_columns(["db_id", "name", "state", "worker", "run_time"]), [job for job in longest if job.run_time])
