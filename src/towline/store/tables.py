"""Tables of a project's database, for SQLite and PostgreSQL.

Only this file and the migrations know SQLAlchemy, and it is imported only when a database is made: statements on the
hot path are plain SQL on the driver. Rows that are read often are narrow; JSON documents stand in tables of their own,
so that listing jobs never reads them.

Whoever changes a table adds a migration in the same commit: :mod:`towline.store.migrations` says how.

Times are seconds since the epoch. States are stored by name.
"""

from sqlalchemy import Column, Index, MetaData, PrimaryKeyConstraint, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from towline.store.migrations.column_types import DOCUMENT, REAL, REFERENCE, ROW_ID, TEXT, WHOLE

metadata = MetaData()

meta = Table("meta", metadata, Column("key", TEXT, primary_key=True), Column("value", TEXT, nullable=False))

flow = Table(
    "flow",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("uuid", TEXT, nullable=False, unique=True),
    Column("name", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("created_at", REAL, nullable=False),
    Column("updated_at", REAL, nullable=False),
    # Set by stop_jobflow: jobs that running siblings add later are born STOPPED.
    Column("stop_requested", WHOLE, nullable=False, server_default=text("0")),
    Column("jobstore", TEXT),
    Column("metadata", DOCUMENT),
    Index("flow_by_update", "updated_at"),
    Index("flow_by_state", "state", "updated_at"),
    Index("flow_by_name", "name", "updated_at"),
    sqlite_autoincrement=True,
)

#: How many jobs of a flow are in each state; kept in the transaction that moves them, so that nothing counts rows.
flow_count = Table(
    "flow_count",
    metadata,
    Column("flow_id", REFERENCE, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("jobs", WHOLE, nullable=False),
    PrimaryKeyConstraint("flow_id", "state"),
    sqlite_with_rowid=False,
)

#: The same for each worker.
worker_count = Table(
    "worker_count",
    metadata,
    Column("worker", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("jobs", WHOLE, nullable=False),
    PrimaryKeyConstraint("worker", "state"),
    sqlite_with_rowid=False,
)

#: How many flows are in each state; kept like the numbers of jobs.
flow_state_count = Table(
    "flow_state_count",
    metadata,
    Column("state", TEXT, primary_key=True),
    Column("flows", WHOLE, nullable=False),
    sqlite_with_rowid=False,
)

#: How many jobs and flows are in a state since a change in a certain quarter of an hour, and on a certain day (of UTC),
#: for the states that reports follow: :mod:`towline.store.change_counts`.
change_count = Table(
    "change_count",
    metadata,
    # "job" or "flow".
    Column("about", TEXT, nullable=False),
    # 900 or 86400; `number` counts such spans since the epoch.
    Column("span_seconds", WHOLE, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("number", WHOLE, nullable=False),
    Column("changed", WHOLE, nullable=False),
    PrimaryKeyConstraint("about", "span_seconds", "state", "number"),
    sqlite_with_rowid=False,
)

job = Table(
    "job",
    metadata,
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
    # Parents that have not finished; the job becomes READY when it reaches 0.
    Column("missing", WHOLE, nullable=False, server_default=text("0")),
    Column("accepts_failed_parents", WHOLE, nullable=False, server_default=text("0")),
    Column("payload_kind", TEXT, nullable=False),
    Column("created_at", REAL, nullable=False),
    Column("updated_at", REAL, nullable=False),
    Column("started_at", REAL),
    Column("ended_at", REAL),
    # The runner that holds the job; it is free again when that runner's lease has expired.
    Column("lease_owner", REFERENCE),
    Column("process_id", TEXT),
    Column("run_dir", TEXT),
    # Failed tries of the present step, and when the next one is due.
    Column("step_attempts", WHOLE, nullable=False, server_default=text("0")),
    Column("retry_at", REAL),
    Column("exit_code", WHOLE),
    Column("exit_signal", WHOLE),
    Column("reason", TEXT),
    # The job whose response brought this one, which leaves with it when that job runs again.
    Column("made_by", REFERENCE),
    Index("job_by_uuid", "uuid", "job_index", unique=True),
    Index("job_by_flow", "flow_id"),
    # An index of SQLite has the number of the row anyhow.
    Index("job_by_state", "state", "worker", "updated_at", postgresql_include=["id"]),
    Index("job_by_update", "updated_at", postgresql_include=["id"]),
    Index("job_by_name", "name", "updated_at", postgresql_include=["id"]),
    Index(
        "job_ready",
        "worker",
        text("priority DESC"),
        "id",
        sqlite_where=text("state = 'READY'"),
        postgresql_where=text("state = 'READY'"),
    ),
    Index(
        "job_by_maker",
        "made_by",
        sqlite_where=text("made_by IS NOT NULL"),
        postgresql_where=text("made_by IS NOT NULL"),
    ),
    # Jobs that wait for the time of their next attempt. Without the state in it, SQLite prefers the index of states.
    Index(
        "job_delayed",
        "state",
        "retry_at",
        sqlite_where=text("state = 'READY' AND retry_at IS NOT NULL"),
        postgresql_where=text("state = 'READY' AND retry_at IS NOT NULL"),
    ),
    Index(
        "job_by_process",
        "process_id",
        sqlite_where=text("process_id IS NOT NULL"),
        postgresql_where=text("process_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

#: What a job is asked to do: the payload, which the queue never decodes, and its settings (resources, exec_config,
#: metadata, hosts, references).
job_document = Table(
    "job_document",
    metadata,
    Column("job_id", ROW_ID, primary_key=True, autoincrement=False),
    Column("payload", DOCUMENT, nullable=False),
    Column("settings", DOCUMENT, nullable=False),
)

#: By what values in the metadata of jobs and flows these are found: :mod:`towline.store.metadata_index`.
metadata_index = Table(
    "metadata_index",
    metadata,
    # Hash of a path and the value there.
    Column("token", WHOLE, nullable=False),
    Column("flow_id", REFERENCE, nullable=False),
    # 0 for the flow, and for what most of its jobs have.
    Column("job_id", REFERENCE, nullable=False),
    PrimaryKeyConstraint("token", "flow_id", "job_id"),
    sqlite_with_rowid=False,
)

#: What came of a job beside its output: failure, stored data, exit record, environment.
job_outcome = Table(
    "job_outcome",
    metadata,
    Column("job_id", ROW_ID, primary_key=True, autoincrement=False),
    Column("failure", DOCUMENT),
    Column("stored_data", DOCUMENT),
    Column("exit_record", DOCUMENT),
    Column("environment", DOCUMENT),
)

#: What jobs ran with, once for each environment: `job_outcome.environment` has its hash as `id`.
environment = Table(
    "environment",
    metadata,
    Column("hash", TEXT, primary_key=True),
    Column("document", DOCUMENT, nullable=False),
)

#: Earlier attempts of jobs that were rerun: nothing is overwritten.
attempt = Table(
    "attempt",
    metadata,
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

#: Jobs that left the queue because the job that made them runs again: their last word, with every attempt of theirs.
retired_job = Table(
    "retired_job",
    metadata,
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
    # Payload, settings, outcome and earlier attempts, as one JSON object.
    Column("record", DOCUMENT, nullable=False),
    Index("retired_job_by_uuid", "uuid", "job_index"),
    Index("retired_job_by_maker", "made_by"),
)

edge = Table(
    "edge",
    metadata,
    Column("parent_id", REFERENCE, nullable=False),
    Column("child_id", REFERENCE, nullable=False),
    PrimaryKeyConstraint("parent_id", "child_id"),
    Index("edge_by_child", "child_id"),
    sqlite_with_rowid=False,
)

#: Every change of state of a job or a flow, append-only: who, when, from, to, why.
event = Table(
    "event",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    # 0 in the events of a flow, whose states then stand in place of a job's.
    Column("job_id", REFERENCE, nullable=False),
    Column("at", REAL, nullable=False),
    Column("from_state", TEXT),
    Column("to_state", TEXT),
    Column("actor", TEXT, nullable=False),
    Column("note", TEXT),
    Column("flow_id", REFERENCE),
    Index("event_by_job", "job_id"),
    Index("event_by_flow", "flow_id"),
    Index("event_by_time", "at", postgresql_include=["id"]),
)

#: Attempts whose processes have to end: the request of a user, carried out and confirmed by the runner.
cancellation = Table(
    "cancellation",
    metadata,
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

#: Runners that hold a lease on this project, and what was asked of them.
runner = Table(
    "runner",
    metadata,
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

#: Allocations of batch workers, as far as the runner was told of them.
batch = Table(
    "batch",
    metadata,
    Column("uid", TEXT, primary_key=True),
    Column("worker", TEXT, nullable=False),
    # Id of the scheduler; jobs that ran in it have the same.
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
    Index("batch_by_time", "created_at"),
)

#: Documents of the SQL job store: outputs of jobs (collection "outputs") and its additional stores (one each).
#: `uuid` is the document's own uuid or blob_uuid, and `job_index` its index, for finding it without reading the body.
document = Table(
    "document",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("collection", TEXT, nullable=False),
    Column("uuid", TEXT),
    Column("job_index", WHOLE),
    Column("name", TEXT),
    Column("body", DOCUMENT, nullable=False),
    Index("document_by_uuid", "collection", "uuid", "job_index"),
    Index("document_by_name", "collection", "name"),
)


def creation_statements(dialect: str) -> list[str]:
    """SQL that makes every table and index, for "sqlite" or "postgresql"."""
    compiler: Dialect = {"sqlite": sqlite, "postgresql": postgresql}[dialect].dialect()
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=compiler)).strip())
        statements.extend(
            str(CreateIndex(index).compile(dialect=compiler)).strip()
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        )
    return statements
