"""What an administrator does to the rows and indexes of a queue."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from towline.core.states import IN_FLIGHT
from towline.store.database import Database, Transaction
from towline.store.readiness import id_list


def free_jobs(transaction: Transaction, job_ids: Iterable[int]) -> list[int]:
    """Take these jobs from the runner that holds them; return the ids of those that were held."""
    states = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT))
    rows = transaction.execute(
        "UPDATE job SET lease_owner = NULL WHERE lease_owner IS NOT NULL "
        f"AND +job.state IN ({states}) AND id IN (SELECT value FROM json_each(?)) RETURNING id",
        (id_list(job_ids),),
    ).fetchall()
    for (job_id,) in rows:
        transaction.note(job_id, "unlocked")
    return sorted(job_id for (job_id,) in rows)


def give_up_attempts(
    transaction: Transaction, job_ids: Iterable[int], workers: Collection[str], elsewhere: Mapping[str, str]
) -> list[int]:
    """Forget that attempts have to end where nobody can see to it; return the ids of their jobs.

    Parameters
    ----------
    workers
        Those that are configured; the attempts on others are given up.
    elsewhere
        ``{"<job id>.<attempt>": "<process id>@<machine>"}`` of attempts on machines that the runner cannot see.
    """
    rows = transaction.execute(
        "SELECT job_id, attempt, worker FROM cancellation WHERE job_id IN (SELECT value FROM json_each(?))",
        (id_list(job_ids),),
    ).fetchall()
    lost = [row for row in rows if row[2] not in workers or f"{row[0]}.{row[1]}" in elsewhere]
    for job_id, attempt, worker in lost:
        place = elsewhere.get(f"{job_id}.{attempt}")
        why = f"the worker {worker} is not configured" if place is None else f"it was started as {place}"
        transaction.execute("DELETE FROM cancellation WHERE job_id = ? AND attempt = ?", (job_id, attempt))
        transaction.note(job_id, f"attempt {attempt} was given up: {why}")
    return sorted({row[0] for row in lost})


def deleted_jobs_with_attempts(database: Database) -> list[int]:
    """Ids of jobs that are gone, and of which an attempt has to end."""
    return [row[0] for row in database.read("SELECT job_id FROM cancellation WHERE job_id NOT IN (SELECT id FROM job)")]


def jobs_of(transaction: Transaction, flow_ids: Iterable[int]) -> list[int]:
    """Ids of the jobs of these flows."""
    rows = transaction.execute(
        "SELECT id FROM job WHERE flow_id IN (SELECT value FROM json_each(?))", (id_list(flow_ids),)
    )
    return [row[0] for row in rows.fetchall()]


def forget_history(transaction: Transaction) -> None:
    """Delete what is kept of jobs that are gone: the journal, and jobs that left with a rerun."""
    transaction.execute("DELETE FROM event WHERE job_id NOT IN (SELECT id FROM job)")
    transaction.execute("DELETE FROM retired_job WHERE flow_id NOT IN (SELECT id FROM flow)")


def rebuild_indexes(database: Database) -> Sequence[str]:
    """Write every index anew; return the names of the indexes.

    PostgreSQL counts its rows for its planner besides. SQLite forgets what somebody had it count: it would take all
    states for equally frequent, and statements are written for a planner that knows nothing.
    """
    kind = database.dialect.kind
    tables = [name for (name,) in database.read(_TABLES[kind])]
    with database.transaction() as transaction:
        for table in tables:
            transaction.execute(f"{_REINDEX[kind]} {table}")
            if kind == "postgresql":
                transaction.execute(f"ANALYZE {table}")
        if kind == "sqlite":
            transaction.execute("DROP TABLE IF EXISTS sqlite_stat1")
            transaction.execute("DROP TABLE IF EXISTS sqlite_stat4")
    return [index for table in tables for index in database.index_names(table) if not index.startswith("sqlite_")]


_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY name",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
}
_REINDEX = {"sqlite": "REINDEX", "postgresql": "REINDEX TABLE"}
