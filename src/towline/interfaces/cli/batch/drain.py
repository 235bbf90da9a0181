"""`tow batch drain`."""

import click

from towline.interfaces.cli.batch.ending import Chosen, end_chosen
from towline.interfaces.cli.options import Json, Yes
from towline.operations.batch_endings import drain_batches


def command(context: click.Context, selected_ids: Chosen, yes: Yes = False, as_json: Json = False) -> None:
    """End allocations gently: they take no further jobs, and end with those that run."""
    end_chosen(context, selected_ids, drain_batches, verb="Drain", yes=yes, as_json=as_json)
