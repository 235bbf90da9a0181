"""What happened to one job, as lines for somebody who watches it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


@dataclass(frozen=True, slots=True)
class Change:
    """A line of the journal of a job."""

    #: Grows from line to line.
    number: int
    at: datetime
    text: str


def changes_since(opened: "OpenProject", row: int, number: int) -> list[Change]:
    """Changes of the state of a job, and notes about it, after the line `number` of the journal."""
    rows = opened.database.read(
        "SELECT event.id, at, to_state, note, process_id FROM event JOIN job ON job.id = event.job_id "
        "WHERE job_id = ? AND event.id > ? ORDER BY event.id",
        (row, number),
    )
    return [
        Change(event, datetime.fromtimestamp(at, UTC), _text(to_state, note, process_id))
        for event, at, to_state, note, process_id in rows
    ]


def _text(to_state: str | None, note: str | None, process_id: str | None) -> str:
    known = f" ({process_id})" if to_state == "SUBMITTED" and process_id else ""
    return ": ".join(filter(None, [f"{to_state or ''}{known}", note]))
