"""What an administrator can do to the database of a queue: upgrade it, free what is held, empty it, index it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import orjson

from towline.configuration.choice import load_project
from towline.errors import InvalidRequest, SchemaTooNew
from towline.operations.compose import collection
from towline.operations.flows import FlowFilter, delete_flows, flow_rows
from towline.operations.jobs import Progress
from towline.operations.project_removal import refuse_while_active
from towline.store import leases, maintenance
from towline.store.database import Database
from towline.store.flow_search import count_flows
from towline.store.job_search import JobFilter, find_job_ids
from towline.store.migrations import SCHEMA_VERSION

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject
    from towline.store.migrations.upgrade import Upgrade

#: From this number of flows on, emptying a queue needs the date of today.
_FLOWS_TO_VALIDATE = 25


@dataclass(frozen=True, slots=True)
class ResetDone:
    """What was deleted."""

    flows: int
    jobs: int


def upgrade_database(
    project_name: str | None = None, *, target: int | None = None, dry_run: bool = True, force: bool = False
) -> "Upgrade":
    """Bring the database of a project to the newest schema, or to `target`.

    Parameters
    ----------
    dry_run
        Only tell what would be done.
    force
        Also while a runner works with the old schema.

    Raises
    ------
    InvalidRequest
        There is no such version.
    SchemaTooOld
        A runner works with the old schema.
    """
    # Alembic takes 0.4 s to load; opening a database that is up to date needs none of it.
    from towline.store.migrations.upgrade import upgrade

    if target is not None and not 1 <= target <= SCHEMA_VERSION:
        raise InvalidRequest(f"there is no schema version {target}; the newest one of this towline is {SCHEMA_VERSION}")
    database = Database(load_project(project_name).queue_place, upgrade=False)
    try:
        version = database.schema_version() or SCHEMA_VERSION
        if version > SCHEMA_VERSION:
            raise SchemaTooNew(f"{database.place} has schema version {version}, newer than {SCHEMA_VERSION}")
        return upgrade(database, target=target or SCHEMA_VERSION, dry_run=dry_run, force=force)
    finally:
        database.close()


def flows_to_reset(opened: "OpenProject") -> int:
    """How many flows :func:`reset_queue` would delete."""
    return count_flows(opened.database, FlowFilter())


def reset_queue(
    opened: "OpenProject", validation: str | None = None, *, output: bool = False, progress: Progress | None = None
) -> ResetDone:
    """Take every flow out of the queue, and its journal with them.

    Parameters
    ----------
    validation
        The date of today, as 2026-03-01, when there are 25 flows or more.
    output
        Delete the outputs of the jobs too.

    Raises
    ------
    RunnerAlreadyActive
        A runner works on the project.
    InvalidRequest
        The date is missing or wrong.
    """
    refuse_while_active(opened.project)
    found = flow_rows(opened, FlowFilter())
    today = date.today().isoformat()
    if (len(found) >= _FLOWS_TO_VALIDATE or validation) and validation != today:
        raise InvalidRequest(f"there are {len(found)} flows; to delete them all, type: tow admin reset {today}")
    deleted = delete_flows(opened, found, max_limit=0, outputs=output, progress=progress)
    with opened.database.transaction() as transaction:
        maintenance.forget_history(transaction)
    return ResetDone(len(deleted.flow_ids), deleted.jobs)


def unlock_jobs(opened: "OpenProject", wanted: JobFilter) -> list[int]:
    """Take jobs from the runner that holds them; the runner that works on the project takes them up anew.

    Attempts that have to end on a worker that is not configured any more, or on another machine than that of the
    runner, are given up.

    Returns
    -------
    Ids of the jobs that were held, or that waited for such an attempt.
    """
    wanted = replace(wanted, locked=False)
    ids = find_job_ids(opened.database, wanted)
    # Attempts outlive the jobs that were deleted.
    gone = maintenance.deleted_jobs_with_attempts(opened.database)
    return _unlock(opened, [*ids, *(job_id for job_id in gone if wanted.is_empty or job_id in wanted.db_ids)])


def unlock_flows(opened: "OpenProject", wanted: FlowFilter) -> list[int]:
    """The same for all jobs of flows: a flow has no lock of its own."""
    rows = flow_rows(opened, replace(wanted, locked=False))
    with opened.database.transaction() as transaction:
        ids = maintenance.jobs_of(transaction, rows)
    return _unlock(opened, ids)


def _unlock(opened: "OpenProject", job_ids: Sequence[int]) -> list[int]:
    record = leases.holder(opened.database)
    told = {} if record is None or record.status is None else orjson.loads(record.status)
    elsewhere = {key: place for facts in told.values() for key, place in facts.get("elsewhere", {}).items()}
    with opened.database.transaction() as transaction:
        freed = maintenance.free_jobs(transaction, job_ids)
        given_up = maintenance.give_up_attempts(transaction, job_ids, opened.project.workers, elsewhere)
    opened.wake_runner()
    return sorted({*freed, *given_up})


def rebuild_indexes(opened: "OpenProject") -> Sequence[str]:
    """Write every index anew, and have the database count its rows for its planner; return their names.

    Raises
    ------
    RunnerAlreadyActive
        A runner works on the project; it would be kept waiting.
    """
    refuse_while_active(opened.project)
    return maintenance.rebuild_indexes(opened.database)


def create_index(opened: "OpenProject", key: str, store: str | None = None) -> bool:
    """Make queries for plain values at a path in the outputs use an index.

    Parameters
    ----------
    store
        An optional job store of type `sql`; None is the project's own.

    Returns
    -------
    False for a path with unusual names.
    """
    from towline.store.collection import Collection  # loads what criteria need

    return Collection(opened.database, collection(store)).ensure_index(key)
