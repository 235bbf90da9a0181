"""`tow runner info`."""

import click

from towline.interfaces.cli.display import local_time, print_fields, print_json
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.runner.reports import status_document
from towline.interfaces.cli.session import open_session
from towline.operations.jobs import count_jobs_by_state
from towline.operations.runners import status_of


def command(context: click.Context, as_json: Json = False) -> None:
    """The runner, its workers as it last told, and how many jobs are in each state."""
    with open_session(context) as opened:
        status, jobs = status_of(opened), count_jobs_by_state(opened)
    if as_json:
        print_json({**status_document(status), "jobs": {state.value: count for state, count in jobs.items()}})
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
            ("log", status.log_file and str(status.log_file)),
            *((f"worker {name}", facts) for name, facts in status.workers.items()),
            ("jobs", ", ".join(f"{count} {state.value}" for state, count in jobs.items()) or "none"),
        ]
    )
