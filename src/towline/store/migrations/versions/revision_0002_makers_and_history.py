"""Who made a job is a column, jobs that left with a rerun are kept, and the journal has the states of flows."""

import re

from alembic import op
from sqlalchemy import Column, Index, text

from towline.store.migrations.column_types import DOCUMENT, REAL, REFERENCE, TEXT, WHOLE

revision = "0002"
down_revision = "0001"
additive = True

#: Notes at the birth of jobs that a job made, in the first schema.
_MADE_BY = re.compile(r"(?:replaces|addition of|detour of) job (\d+)")


def upgrade() -> None:
    """Add `made_by`, `retired_job` and `event.flow_id`."""
    op.add_column("job", Column("made_by", REFERENCE))
    _read_makers_from_the_journal()
    for name, column, condition in (
        ("job_by_maker", "made_by", text("made_by IS NOT NULL")),
        ("job_delayed", "retry_at", text("state = 'READY' AND retry_at IS NOT NULL")),
    ):
        op.create_index(name, "job", [column], sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "retired_job",
        Column("job_id", REFERENCE, primary_key=True, autoincrement=False),
        Column("uuid", TEXT, nullable=False),
        Column("job_index", WHOLE, nullable=False),
        Column("attempt", WHOLE, nullable=False),
        Column("flow_id", REFERENCE, nullable=False),
        Column("name", TEXT, nullable=False),
        Column("state", TEXT, nullable=False),
        Column("worker", TEXT, nullable=False),
        Column("run_dir", TEXT),
        Column("made_by", REFERENCE),
        Column("retired_at", REAL, nullable=False),
        Column("record", DOCUMENT, nullable=False),
        Index("retired_job_by_uuid", "uuid", "job_index"),
        Index("retired_job_by_maker", "made_by"),
    )
    op.add_column("event", Column("flow_id", REFERENCE))


def _read_makers_from_the_journal() -> None:
    connection = op.get_bind()
    rows = connection.execute(
        text(
            "SELECT job_id, note FROM event JOIN job ON job.id = event.job_id "
            "WHERE from_state IS NULL AND to_state IS NOT NULL AND note IS NOT NULL"
        )
    ).fetchall()
    for job_id, note in rows:
        if found := _MADE_BY.search(note):
            connection.execute(
                text("UPDATE job SET made_by = :maker WHERE id = :job"), {"maker": int(found[1]), "job": job_id}
            )
