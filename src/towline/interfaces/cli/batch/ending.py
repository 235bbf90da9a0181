"""What the commands that end allocations have in common."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import click

from towline.interfaces.cli.display import plural, print_json, say, suggest, write_out
from towline.interfaces.cli.parameters import Argument
from towline.interfaces.cli.selection import confirm
from towline.interfaces.cli.session import open_session
from towline.operations.batch_endings import EndedBatches
from towline.operations.batches import BatchDoc, BatchState, chosen_batches

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

Chosen = Annotated[
    list[str], Argument(metavar="BATCH...", help="Process ids of the scheduler, or batch uids or their beginnings.")
]


def end_chosen(
    context: click.Context,
    selected_ids: list[str],
    action: "Callable[[OpenProject, list[BatchDoc]], EndedBatches]",
    *,
    verb: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Ask, end allocations, and report it; exit code 1 when nothing was done."""
    with open_session(context) as opened:
        wanted = chosen_batches(opened, selected_ids)
        active = [batch for batch in wanted if batch.batch_state is not BatchState.FINISHED]
        if active:
            running = sum(len(batch.running) for batch in active)
            confirm(f"{verb} {plural(len(active), 'allocation')}, in which {plural(running, 'job')} run?", yes=yes)
        ended = action(opened, wanted)
    if as_json:
        print_json({"ended": ended.done, "refused": ended.refused})
    else:
        for sentence in ended.refused.values():
            say(f"tow: {sentence}")
        for sentence in ended.done.values():
            write_out(f"{sentence}\n")
        if ended.done:
            suggest("jobs that wait get another allocation; if they shall not, set max_jobs: 0 for the worker")
    if not ended.done:
        raise click.exceptions.Exit(1)
