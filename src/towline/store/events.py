"""The journal as a stream: every change of a job or a flow, in the order in which it became true."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from towline.store.conditions import NO_LIMIT, Conditions
from towline.store.database import Database
from towline.store.readiness import id_list


@dataclass(frozen=True, slots=True)
class QueueEvent:
    """A line of the journal."""

    #: Grows with every event; what comes later has a larger one.
    id: int
    #: Aware, in UTC.
    at: datetime
    #: Whether it is about a flow as a whole; the states are those of flows then.
    is_flow: bool
    #: The job; None in events of a flow.
    db_id: str | None
    #: What was known of it is gone when it was deleted since.
    uuid: str | None
    index: int | None
    name: str | None
    flow_id: str | None
    flow_name: str | None
    #: None at the birth of a job.
    from_state: str | None
    #: None when the job left the queue. Both are None in a note that no change of state came with.
    to_state: str | None
    #: Who did it: "user", "runner 12".
    actor: str
    note: str | None

    def document(self) -> dict[str, Any]:
        """The event as JSON-like values."""
        names = ("db_id", "uuid", "index", "name", "flow_id", "flow_name", "from_state", "to_state", "actor", "note")
        kind = "flow" if self.is_flow else "job"
        return {"id": self.id, "at": self.at.isoformat(), "kind": kind, **{name: getattr(self, name) for name in names}}


_COLUMNS = (
    "event.id, event.at, event.job_id, job.uuid, job.job_index, job.name, flow.uuid, flow.name, event.from_state, "
    "event.to_state, event.actor, event.note"
)


def read_events(
    database: Database,
    *,
    after: int = 0,
    limit: int = 0,
    newest: bool = False,
    since: datetime | None = None,
    flow_rows: Sequence[int] = (),
    job_rows: Sequence[int] = (),
    prefix: str = "",
) -> list[QueueEvent]:
    """Events with a number above `after`, oldest first.

    Parameters
    ----------
    limit
        How many at most; 0 is all.
    newest
        With `limit`: the last ones, instead of the first.
    since
        Only those from this time on; local time when naive.
    flow_rows, job_rows
        Only those of these flows, and of these jobs.
    prefix
        Text before the number in the ids of jobs.
    """
    conditions = Conditions()
    if since is not None:
        # Times and numbers grow together, but for what a worker told late. The + 0 keeps SQLite from walking along the
        # numbers.
        rows = database.read("SELECT min(id + 0) FROM event WHERE at >= ?", (since.timestamp(),))
        after = max(after, int(rows[0][0]) - 1 if rows[0][0] is not None else NO_LIMIT)
        # The + 0 keeps both databases from the index of times, which does not have the order of numbers.
        conditions.add("event.at + 0 >= ?", since.timestamp())
    conditions.add("event.id > ?", after)
    if flow_rows:
        # Notes, and the journal of the first schema, have no flows; their jobs tell. Each part has its index.
        flows = id_list(flow_rows)
        conditions.add(
            "event.id IN (SELECT id FROM event WHERE flow_id IN (SELECT value FROM json_each(?)) "
            "UNION ALL SELECT event.id FROM job JOIN event ON event.job_id = job.id "
            "WHERE event.flow_id IS NULL AND job.flow_id IN (SELECT value FROM json_each(?)))",
            *(flows, flows),
        )
    conditions.add_listed("event.job_id", list(job_rows))
    order = "DESC" if newest else "ASC"
    limited = " LIMIT ?" if limit else ""
    rows = database.read(
        f"SELECT {_COLUMNS} FROM event LEFT JOIN job ON job.id = event.job_id "
        "LEFT JOIN flow ON flow.id = coalesce(event.flow_id, job.flow_id) "
        f"WHERE {conditions.where} ORDER BY event.id {order}{limited}",
        [*conditions.parameters, *([limit] if limit else [])],
    )
    return [_event(row, prefix) for row in (reversed(rows) if newest else rows)]


def newest_event(database: Database) -> int:
    """Number of the newest event; 0 when there is none."""
    return int(database.read("SELECT max(id) FROM event")[0][0] or 0)


def seen_by_hooks(database: Database) -> int | None:
    """Number of the last event that the hooks of the project were told; None when there never were hooks."""
    rows = database.read("SELECT value FROM meta WHERE key = ?", (_SEEN,))
    return int(rows[0][0]) if rows else None


def set_seen_by_hooks(database: Database, event_id: int) -> None:
    """Remember which events the hooks were told, so that the next runner goes on after them."""
    with database.transaction() as transaction:
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (_SEEN, str(event_id)),
        )


_SEEN = "events_seen_by_hooks"


def _event(row: Sequence[Any], prefix: str) -> QueueEvent:
    (number, at, job_id, uuid, index, name, flow_uuid, flow_name, from_state, to_state, actor, note) = row
    return QueueEvent(
        id=number,
        at=datetime.fromtimestamp(at, UTC),
        is_flow=job_id == 0,
        db_id=f"{prefix}{job_id}" if job_id else None,
        uuid=uuid,
        index=index,
        name=name,
        flow_id=flow_uuid,
        flow_name=flow_name,
        from_state=from_state,
        to_state=to_state,
        actor=actor,
        note=note,
    )
