"""`tow batch info`."""

from typing import Annotated

import click

from towline.core.states import JobState
from towline.interfaces.cli.batch.options import batch_document
from towline.interfaces.cli.display import local_time, print_json
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import print_fields
from towline.operations.batches import BatchDoc, explanation, one_batch


def command(
    context: click.Context,
    selected_id: Annotated[
        str, Argument(metavar="SELECTED_ID", help="Process id of the scheduler, or batch uid or its beginning.")
    ],
    as_json: Json = False,
) -> None:
    """Show one allocation and the jobs that ran in it."""
    with open_session(context) as opened:
        batch = one_batch(opened, selected_id)
    if as_json:
        print_json(batch_document(batch))
        return
    print_fields(
        [
            ("batch_uid", batch.batch_uid),
            ("process_id", batch.process_id),
            ("batch_state", batch.batch_state.value),
            ("reason", batch.reason),
            ("explanation", explanation(batch)),
            ("worker", batch.worker),
            ("run_dir", batch.run_dir),
            ("created_on", local_time(batch.created_on)),
            ("updated_on", local_time(batch.updated_on)),
            ("start_time", batch.start_time and local_time(batch.start_time)),
            ("end_time", batch.end_time and local_time(batch.end_time)),
            ("last_ping_time", batch.last_ping_time and local_time(batch.last_ping_time)),
            ("jobs_ended", batch.jobs_ended),
            *_jobs(batch),
        ]
    )


def _jobs(batch: BatchDoc) -> list[tuple[str, str | None]]:
    """The jobs by their states, those that run first."""
    by_state: dict[str, list[str]] = {JobState.BATCH_RUNNING.value: []}
    for job in batch.jobs:
        by_state.setdefault(job.state.value, []).append(job.db_id)
    rows = [(f"jobs {state}", ", ".join(ids)) for state, ids in by_state.items() if ids]
    return list(rows) or [("jobs", None)]
