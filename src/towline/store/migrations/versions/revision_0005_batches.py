"""The allocations of batch workers."""

from alembic import op
from sqlalchemy import Column, text

from towline.store.migrations.column_types import REAL, TEXT, WHOLE

revision = "0005"
down_revision = "0004"
# An older towline leaves the table alone.
additive = True


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "batch",
        Column("uid", TEXT, primary_key=True),
        Column("worker", TEXT, nullable=False),
        Column("process_id", TEXT),
        Column("state", TEXT, nullable=False),
        Column("folder", TEXT, nullable=False),
        Column("created_at", REAL, nullable=False),
        Column("started_at", REAL),
        Column("ended_at", REAL),
        Column("pinged_at", REAL),
        Column("reason", TEXT),
        Column("jobs_ended", WHOLE, nullable=False, server_default=text("0")),
        Column("updated_at", REAL, nullable=False),
    )
    op.create_index("batch_by_time", "batch", ["created_at"])
