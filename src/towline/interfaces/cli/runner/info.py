"""`tow runner info`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import duration, local_time, print_json, size
from towline.interfaces.cli.options import Json, Verbosity
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.runner.reports import status_document
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import Column, print_fields, print_table
from towline.operations.jobs import count_jobs_by_state
from towline.operations.runners import RunnerStatus, ends_awaited, processes_of, status_of
from towline.operations.worker_overview import WorkerReport, worker_reports


def command(
    context: click.Context,
    pings: Annotated[
        bool, Option("--pings", "-p", help="Its signs of life: the last one, and until when it holds the project.")
    ] = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """The runner, its workers as it last told, and how many jobs are in each state; -v adds the processes."""
    with open_session(context) as opened:
        status, jobs = status_of(opened), count_jobs_by_state(opened)
        processes = processes_of(opened, status) if verbosity or as_json else []
        ends, now = ends_awaited(opened), opened.database.clock()
        workers = worker_reports(opened)
    if as_json:
        counts = {state.value: count for state, count in jobs.items()}
        print_json(
            {
                **status_document(status),
                "processes": [vars(item) for item in processes],
                "jobs": counts,
                "attempts_to_end": ends,
            }
        )
        return
    print_fields(
        [
            ("project", status.project),
            ("state", status.state.value),
            ("runner", status.runner_id),
            ("pid", status.pid),
            ("host", status.host),
            ("user", status.user_name),
            ("started", local_time(status.started_at) or None),
            ("last heard of", local_time(status.heartbeat_at) or None),
            ("lease ends", local_time(status.lease_expires_at) or None),
            *(_signs(status, now) if pings else ()),
            ("log", status.log_file and str(status.log_file)),
            *((f"worker {worker.name}", _worker_text(worker)) for worker in workers),
            ("attempts to end", "\n".join(ends) or None),
            ("jobs", ", ".join(f"{count} {state.value}" for state, count in jobs.items()) or "none"),
        ]
    )
    if processes:
        columns = [
            Column("Process", lambda item: item.role, cut=True),
            Column("Pid", lambda item: item.pid, right=True),
            Column("Started", lambda item: local_time(item.started_at), cut=True),
            Column("Processor time", lambda item: duration(item.cpu_seconds), right=True),
            Column("Memory", lambda item: size(item.memory_bytes), right=True),
        ]
        print_table(columns, processes)


def _worker_text(worker: WorkerReport) -> str:
    return f"{worker.state.value}: {worker.problem}" if worker.problem else worker.state.value


def _signs(status: RunnerStatus, now: float) -> list[tuple[str, str]]:
    if status.heartbeat_at is None or status.lease_expires_at is None or status.started_at is None:
        return []
    return [
        ("alive for", duration(status.heartbeat_at.timestamp() - status.started_at.timestamp())),
        ("silent for", duration(now - status.heartbeat_at.timestamp())),
        ("given up in", duration(max(0.0, status.lease_expires_at.timestamp() - now))),
    ]
