"""Flows are counted by state, changes by time; names, processes and the journal of a flow are found through indexes."""

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint, text

from towline.store.migrations.column_types import TEXT, WHOLE

revision = "0003"
down_revision = "0002"
# An older runner would not keep the counters.
additive = False

_DELAYED = text("state = 'READY' AND retry_at IS NOT NULL")
_STARTED = text("process_id IS NOT NULL")
_FOLLOWED = {"job": "'COMPLETED', 'FAILED', 'REMOTE_ERROR'", "flow": "'COMPLETED', 'FAILED'"}


def upgrade() -> None:
    """Add the counters, filled from the rows, and the indexes."""
    op.create_table(
        "flow_state_count",
        Column("state", TEXT, primary_key=True),
        Column("flows", WHOLE, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "change_count",
        Column("about", TEXT, nullable=False),
        Column("span_seconds", WHOLE, nullable=False),
        Column("state", TEXT, nullable=False),
        Column("number", WHOLE, nullable=False),
        Column("changed", WHOLE, nullable=False),
        PrimaryKeyConstraint("about", "span_seconds", "state", "number"),
        sqlite_with_rowid=False,
    )
    _count()
    for name, table, columns in (
        ("job_by_state", "job", ["state", "worker", "updated_at"]),
        ("job_by_update", "job", ["updated_at"]),
        ("job_by_name", "job", ["name", "updated_at"]),
        ("event_by_time", "event", ["at"]),
    ):
        op.execute(f"DROP INDEX IF EXISTS {name}")
        # An index of SQLite has the number of the row anyhow.
        op.create_index(name, table, columns, postgresql_include=["id"])
    for index, table, columns, condition in (
        ("flow_by_name", "flow", ["name", "updated_at"], None),
        ("job_delayed", "job", ["state", "retry_at"], _DELAYED),
        ("job_by_process", "job", ["process_id"], _STARTED),
        ("event_by_flow", "event", ["flow_id"], None),
    ):
        op.execute(f"DROP INDEX IF EXISTS {index}")
        op.create_index(index, table, columns, sqlite_where=condition, postgresql_where=condition)


def _count() -> None:
    op.execute("INSERT INTO flow_state_count (state, flows) SELECT state, count(*) FROM flow GROUP BY state")
    # PostgreSQL rounds where SQLite cuts off.
    whole = "floor(updated_at / {0})" if op.get_bind().dialect.name == "postgresql" else "updated_at / {0}"
    for table, states in _FOLLOWED.items():
        for seconds in (900, 86400):
            number = f"CAST({whole.format(seconds)} AS BIGINT)"
            op.execute(
                "INSERT INTO change_count (about, span_seconds, state, number, changed) "
                f"SELECT '{table}', {seconds}, state, {number}, count(*) FROM {table} "
                f"WHERE state IN ({states}) GROUP BY state, {number}"
            )
