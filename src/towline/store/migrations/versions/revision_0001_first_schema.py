"""The schema of the first release (0.1.0)."""

from alembic import op
from sqlalchemy import Column, Index, MetaData, PrimaryKeyConstraint, Table, text
from sqlalchemy.schema import CreateIndex, CreateTable

from towline.store.migrations.column_types import DOCUMENT, REAL, REFERENCE, ROW_ID, TEXT, WHOLE

revision = "0001"
down_revision = None
additive = False

_metadata = MetaData()

Table("meta", _metadata, Column("key", TEXT, primary_key=True), Column("value", TEXT, nullable=False))

Table(
    "flow",
    _metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("uuid", TEXT, nullable=False, unique=True),
    Column("name", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("created_at", REAL, nullable=False),
    Column("updated_at", REAL, nullable=False),
    Column("stop_requested", WHOLE, nullable=False, server_default=text("0")),
    Column("jobstore", TEXT),
    Column("metadata", DOCUMENT),
    Index("flow_by_update", "updated_at"),
    Index("flow_by_state", "state", "updated_at"),
    sqlite_autoincrement=True,
)

Table(
    "flow_count",
    _metadata,
    Column("flow_id", REFERENCE, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("jobs", WHOLE, nullable=False),
    PrimaryKeyConstraint("flow_id", "state"),
    sqlite_with_rowid=False,
)

Table(
    "worker_count",
    _metadata,
    Column("worker", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("jobs", WHOLE, nullable=False),
    PrimaryKeyConstraint("worker", "state"),
    sqlite_with_rowid=False,
)

Table(
    "job",
    _metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("uuid", TEXT, nullable=False),
    Column("job_index", WHOLE, nullable=False),
    Column("attempt", WHOLE, nullable=False, server_default=text("1")),
    Column("flow_id", REFERENCE, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("previous_state", TEXT),
    Column("worker", TEXT, nullable=False),
    Column("priority", WHOLE, nullable=False, server_default=text("0")),
    Column("missing", WHOLE, nullable=False, server_default=text("0")),
    Column("accepts_failed_parents", WHOLE, nullable=False, server_default=text("0")),
    Column("payload_kind", TEXT, nullable=False),
    Column("created_at", REAL, nullable=False),
    Column("updated_at", REAL, nullable=False),
    Column("started_at", REAL),
    Column("ended_at", REAL),
    Column("lease_owner", REFERENCE),
    Column("process_id", TEXT),
    Column("run_dir", TEXT),
    Column("step_attempts", WHOLE, nullable=False, server_default=text("0")),
    Column("retry_at", REAL),
    Column("exit_code", WHOLE),
    Column("exit_signal", WHOLE),
    Column("reason", TEXT),
    Index("job_by_uuid", "uuid", "job_index", unique=True),
    Index("job_by_flow", "flow_id"),
    Index("job_by_state", "state", "worker", "updated_at"),
    Index("job_by_update", "updated_at"),
    Index("job_by_name", "name"),
    Index(
        "job_ready",
        "worker",
        text("priority DESC"),
        "id",
        sqlite_where=text("state = 'READY'"),
        postgresql_where=text("state = 'READY'"),
    ),
    sqlite_autoincrement=True,
)

Table(
    "job_document",
    _metadata,
    Column("job_id", ROW_ID, primary_key=True, autoincrement=False),
    Column("payload", DOCUMENT, nullable=False),
    Column("settings", DOCUMENT, nullable=False),
)

Table(
    "job_outcome",
    _metadata,
    Column("job_id", ROW_ID, primary_key=True, autoincrement=False),
    Column("failure", DOCUMENT),
    Column("stored_data", DOCUMENT),
    Column("exit_record", DOCUMENT),
    Column("environment", DOCUMENT),
)

Table(
    "attempt",
    _metadata,
    Column("job_id", REFERENCE, nullable=False),
    Column("attempt", WHOLE, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("worker", TEXT, nullable=False),
    Column("run_dir", TEXT),
    Column("started_at", REAL),
    Column("ended_at", REAL),
    Column("outcome", DOCUMENT),
    PrimaryKeyConstraint("job_id", "attempt"),
    sqlite_with_rowid=False,
)

Table(
    "edge",
    _metadata,
    Column("parent_id", REFERENCE, nullable=False),
    Column("child_id", REFERENCE, nullable=False),
    PrimaryKeyConstraint("parent_id", "child_id"),
    Index("edge_by_child", "child_id"),
    sqlite_with_rowid=False,
)

Table(
    "event",
    _metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("job_id", REFERENCE, nullable=False),
    Column("at", REAL, nullable=False),
    Column("from_state", TEXT),
    Column("to_state", TEXT),
    Column("actor", TEXT, nullable=False),
    Column("note", TEXT),
    Index("event_by_job", "job_id"),
)

Table(
    "cancellation",
    _metadata,
    Column("job_id", REFERENCE, nullable=False),
    Column("attempt", WHOLE, nullable=False),
    Column("uuid", TEXT, nullable=False),
    Column("job_index", WHOLE, nullable=False),
    Column("worker", TEXT, nullable=False),
    Column("run_dir", TEXT),
    Column("process_id", TEXT),
    Column("requested_at", REAL, nullable=False),
    Column("delete_files", WHOLE, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("job_id", "attempt"),
)

Table(
    "runner",
    _metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("host", TEXT, nullable=False),
    Column("user_name", TEXT, nullable=False),
    Column("pid", WHOLE, nullable=False),
    Column("process_started_at", REAL, nullable=False),
    Column("started_at", REAL, nullable=False),
    Column("heartbeat_at", REAL, nullable=False),
    Column("expires_at", REAL, nullable=False),
    Column("request", TEXT),
    Column("status", DOCUMENT),
    sqlite_autoincrement=True,
)

Table(
    "document",
    _metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("collection", TEXT, nullable=False),
    Column("uuid", TEXT),
    Column("job_index", WHOLE),
    Column("name", TEXT),
    Column("body", DOCUMENT, nullable=False),
    Index("document_by_uuid", "collection", "uuid", "job_index"),
    Index("document_by_name", "collection", "name"),
)


def upgrade() -> None:
    """Make the tables."""
    for table in _metadata.sorted_tables:
        op.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            op.execute(CreateIndex(index))
