"""Options about allocations that several commands share."""

from dataclasses import asdict
from typing import Annotated, Any

import click

from towline.interfaces.cli.completions import complete_worker
from towline.interfaces.cli.parameters import Option
from towline.operations.batches import BatchDoc, BatchState, explanation

Strings = list[str] | None


def _state(text: str) -> BatchState:
    wanted = text.strip().upper()
    if wanted not in BatchState.__members__:
        raise click.BadParameter(f"there is no state {text!r}; there are {', '.join(BatchState.__members__)}")
    return BatchState[wanted]


def complete_batch_state(context: click.Context, incomplete: str) -> list[str]:
    """States that begin so."""
    return [state.value for state in BatchState if state.value.startswith(incomplete.upper())]


States = Annotated[
    list[BatchState] | None,
    Option(
        *("--state", "-s"),
        help="SUBMITTED, RUNNING or FINISHED; may be given several times.",
        metavar="STATE",
        parser=_state,
        autocompletion=complete_batch_state,
    ),
]
Workers = Annotated[
    Strings, Option("--worker", "-wk", help="Worker; may be given several times.", autocompletion=complete_worker)
]
JobIds = Annotated[
    Strings,
    Option("--job-id", "-jid", help="That ran this job; may be given several times.", metavar="UUID:INDEX"),
]
DbIds = Annotated[
    Strings, Option("--db-id", "-did", help="That ran this job; may be given several times.", metavar="DB_ID")
]


def batch_document(batch: BatchDoc) -> dict[str, Any]:
    """For JSON."""
    return asdict(batch) | {"batch_state": batch.batch_state.value, "explanation": explanation(batch)}
