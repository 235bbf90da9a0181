"""`tow job report`."""

import click

from towline.interfaces.cli.display import print_json, state_text, write_out
from towline.interfaces.cli.documents import job_columns, job_document
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.reports import Span, by_name, print_counts, print_trends
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import Column, print_table
from towline.operations.reports import JobsReport, jobs_report


def command(context: click.Context, span: Span, as_json: Json = False) -> None:
    """How the jobs fare: numbers by state, what ended when, what runs longest, what each worker has."""
    with open_session(context) as opened:
        report = jobs_report(opened, span.interval, span.num_intervals, span.timezone)
    if as_json:
        print_json(_document(report))
        return
    write_out(f"{report.completed} completed, {report.running} running, {report.error} with an error\n\n")
    print_counts("Jobs", report.state_counts)
    print_trends("Ended", report.trends)
    if report.longest_running:
        names = ["db_id", "name", "worker", "run_time", "start_time"]
        print_table(job_columns(names), report.longest_running, "Running longest")
    if report.workers:
        _print_workers(report)


def _print_workers(report: JobsReport) -> None:
    states = [state for state in report.state_counts if any(state in counts for counts in report.workers.values())]
    columns = [
        Column("Worker", lambda row: row[0], cut=True),
        Column("In its hands", lambda row: report.worker_utilization[row[0]], right=True),
    ]
    for state in states:
        columns.append(
            Column(state_text(state).plain, lambda row, state=state: row[1].get(state, ""), right=True)  # type: ignore[misc]
        )
    print_table(columns, report.workers.items(), "Workers")


def _document(report: JobsReport) -> dict[str, object]:
    return {
        "state_counts": by_name(report.state_counts),
        "trends": {name: by_name(counts) for name, counts in report.trends.items()},
        "longest_running": [job_document(job) for job in report.longest_running],
        "workers": {name: by_name(counts) for name, counts in report.workers.items()},
        "worker_utilization": report.worker_utilization,
        "active": report.active,
        "running": report.running,
        "completed": report.completed,
        "error": report.error,
    }
