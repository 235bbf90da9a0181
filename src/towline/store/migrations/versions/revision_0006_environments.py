"""What jobs ran with, once for each environment."""

from alembic import op
from sqlalchemy import Column

from towline.store.migrations.column_types import DOCUMENT, TEXT

revision = "0006"
down_revision = "0005"
# An older towline leaves the table alone.
additive = True


def upgrade() -> None:
    """Add the table."""
    op.create_table("environment", Column("hash", TEXT, primary_key=True), Column("document", DOCUMENT, nullable=False))
