"""`tow worker list`."""

from dataclasses import asdict

import click

from towline.interfaces.cli.display import print_json, suggest
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import Column, print_table
from towline.operations.worker_overview import WorkerReport, worker_reports


def command(context: click.Context, as_json: Json = False) -> None:
    """The workers as the runner sees them: whether they take jobs, and why not."""
    with open_session(context) as opened:
        reports = worker_reports(opened)
    if as_json:
        print_json([asdict(report) | {"state": report.state.value} for report in reports])
        return
    columns = [
        Column("Name", lambda item: item.name),
        Column("Where", _where),
        Column("Scheduler", lambda item: item.scheduler_type),
        Column("State", lambda item: item.state.value),
        Column("Jobs", _jobs),
        Column("Max jobs", lambda item: item.max_jobs, right=True),
    ]
    print_table(columns, reports)
    for report in reports:
        if report.problem:
            suggest(f"{report.name}: {report.problem}")
        if report.wait_for_host:
            suggest(f"{report.name}: {report.wait_for_host}")


def _where(report: WorkerReport) -> str:
    return report.host or "this machine"


def _jobs(report: WorkerReport) -> str:
    waiting = ("READY", "CHECKED_OUT", "UPLOADED", "SUBMITTED", "BATCH_SUBMITTED")
    shown = (*waiting, "RUNNING", "BATCH_RUNNING", "REMOTE_ERROR")
    return ", ".join(f"{report.jobs[state]} {state}" for state in shown if report.jobs.get(state)) or "-"
