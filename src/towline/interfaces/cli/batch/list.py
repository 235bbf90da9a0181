"""`tow batch list`."""

from typing import Annotated

import click

from towline.interfaces.cli.batch.options import DbIds, JobIds, States, Workers, batch_document
from towline.interfaces.cli.display import local_time, plural, print_json, suggest
from towline.interfaces.cli.options import Json, Verbosity
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import Column, print_table
from towline.operations.batches import BatchDoc, batch_filter, count_batches, list_batches


def command(
    context: click.Context,
    worker: Workers = None,
    state: States = None,
    job_id: JobIds = None,
    db_id: DbIds = None,
    max_results: Annotated[
        int, Option("--max-results", "-m", help="How many at most; 0 is all.", metavar="N", min=0)
    ] = 20,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """List the allocations of batch workers, the newest first."""
    with open_session(context) as opened:
        wanted = batch_filter(
            opened, workers=worker or (), states=state or (), job_ids=job_id or (), db_ids=db_id or ()
        )
        found = list_batches(opened, wanted, max_results)
        number = count_batches(opened, wanted)
    if as_json:
        print_json([batch_document(batch) for batch in found])
        return
    columns = [
        Column("Process id", lambda batch: batch.process_id or "-"),
        Column("Batch uid", lambda batch: batch.batch_uid, short=lambda batch: batch.batch_uid[:8]),
        Column("Worker", lambda batch: batch.worker),
        Column("Folder", lambda batch: batch.run_dir, short=lambda batch: f"…/{batch.batch_uid[:8]}"),
        Column("State", _state),
    ]
    if verbosity:
        columns += [
            Column("Jobs", lambda batch: ", ".join(job.db_id for job in batch.jobs) or "-"),
            Column("Last update", lambda batch: local_time(batch.updated_on)),
        ]
    print_table(columns, found)
    if number > len(found):
        suggest(f"{len(found)} of {plural(number, 'allocation')}; for all of them: --max-results 0")


def _state(batch: BatchDoc) -> str:
    """The state, and why it ends or ended where that is no matter of course."""
    usual = batch.reason in (None, "exited", "idle")
    return batch.batch_state.value if usual else f"{batch.batch_state.value} ({batch.reason})"
