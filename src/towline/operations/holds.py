"""Deciding steps that wait for a person."""

import getpass
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from towline.core.documents import encode
from towline.core.records import Failure
from towline.operations.jobs import Act, Changed, Progress
from towline.store import holds

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


def approve_jobs(
    opened: "OpenProject",
    rows: Iterable[int],
    message: str | None = None,
    *,
    raise_on_error: bool = False,
    progress: Progress | None = None,
) -> Changed:
    """Approve holds whose turn it is: the flow goes on, and `message` is part of their outputs."""
    # The job stores load maggma when one of them is not in the queue's database.
    from towline.operations.runner_setup import outputs_of

    listed, by = list(rows), getpass.getuser()
    outputs_by_name = outputs_of(opened.project)
    documents = {}
    for hold in holds.holds(opened.database, listed).values():
        documents[hold.id] = _document(opened, hold, message, by)
        outputs = outputs_by_name(hold.jobstore)
        if not outputs.transactional:
            # Storing an output again replaces it: nothing is wrong if the decision fails after this.
            outputs.store(None, documents[hold.id], ())
    note = f"approved by {by}" + (f": {message}" if message else "")
    return Act(opened, raise_on_error, progress).on(
        listed, lambda transaction, part: holds.approve(transaction, list(part), documents, outputs_by_name, note)
    )


def reject_jobs(
    opened: "OpenProject",
    rows: Iterable[int],
    message: str | None = None,
    *,
    raise_on_error: bool = False,
    progress: Progress | None = None,
) -> Changed:
    """Reject holds whose turn it is: they fail, and what comes after them does not run."""
    failure = Failure("rejected", f"rejected by {getpass.getuser()}" + (f": {message}" if message else ""))
    return Act(opened, raise_on_error, progress).on(
        rows, lambda transaction, part: holds.reject(transaction, list(part), failure)
    )


def _document(opened: "OpenProject", hold: holds.Hold, message: str | None, by: str) -> bytes:
    """The output document, in the form in which jobflow stores outputs."""
    now = datetime.now(UTC)
    return encode(
        {
            "uuid": hold.uuid,
            "index": hold.index,
            "output": {"approved": True, "message": message, "by": by, "at": now.isoformat()},
            "completed_at": now.astimezone().replace(tzinfo=None).isoformat(),
            "metadata": {**hold.metadata, "db_id": opened.db_id(hold.id)},
            "hosts": list(hold.hosts),
            "name": hold.name,
            "@module": "jobflow.core.schemas",
            "@class": "JobStoreDocument",
        }
    )
