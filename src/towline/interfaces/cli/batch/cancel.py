"""`tow batch cancel`."""

import click

from towline.interfaces.cli.batch.ending import Chosen, end_chosen
from towline.interfaces.cli.options import Json, Yes
from towline.operations.batch_endings import cancel_batches


def command(context: click.Context, selected_ids: Chosen, yes: Yes = False, as_json: Json = False) -> None:
    """End allocations now. Jobs that run in them go back to READY and run again; no job is lost or fails for it."""
    end_chosen(context, selected_ids, cancel_batches, verb="Cancel", yes=yes, as_json=as_json)
