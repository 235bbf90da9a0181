"""What happened to a job: its journal, its earlier attempts, what it waits for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from towline.core.states import FAILED_BUT_ACCEPTABLE, JobState
from towline.store.conditions import NO_LIMIT
from towline.store.database import Database
from towline.store.job_info import moment


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the journal."""

    at: datetime
    from_state: JobState | None
    to_state: JobState | None
    #: Who did it: "user", "runner 12".
    actor: str
    note: str | None


@dataclass(frozen=True, slots=True)
class EarlierAttempt:
    """An attempt of a job that was run again since."""

    attempt: int
    state: JobState
    worker: str
    run_dir: str | None
    start_time: datetime | None
    end_time: datetime | None
    #: process_id, exit_code, exit_signal, reason, failure, stored_data, exit_record, environment.
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BlockingParent:
    """A parent that a job still waits for."""

    id: int
    uuid: str
    index: int
    name: str
    state: JobState


def events_of(database: Database, job_id: int, limit: int = 0) -> list[Event]:
    """The journal of a job, oldest first; its last `limit` lines, or all."""
    rows = database.read(
        "SELECT at, from_state, to_state, actor, note FROM event WHERE job_id = ? ORDER BY id DESC LIMIT ?",
        (job_id, limit or NO_LIMIT),
    )
    return [
        Event(datetime.fromtimestamp(at, UTC), _state(from_state), _state(to_state), actor, note)
        for at, from_state, to_state, actor, note in reversed(rows)
    ]


def earlier_attempts(database: Database, job_id: int) -> list[EarlierAttempt]:
    """The attempts of a job before its present one, oldest first."""
    rows = database.read(
        "SELECT attempt, state, worker, run_dir, started_at, ended_at, outcome FROM attempt WHERE job_id = ? "
        "ORDER BY attempt",
        (job_id,),
    )
    return [
        EarlierAttempt(
            *(attempt, JobState(state), worker, run_dir, moment(started), moment(ended)),
            orjson.loads(outcome) if outcome else {},
        )
        for attempt, state, worker, run_dir, started, ended, outcome in rows
    ]


def blocking_parents(database: Database, job_id: int) -> list[BlockingParent]:
    """The parents of a job that have not finished, oldest first."""
    acceptable = ", ".join(f"'{state.value}'" for state in sorted(FAILED_BUT_ACCEPTABLE))
    rows = database.read(
        "SELECT parent.id, parent.uuid, parent.job_index, parent.name, parent.state FROM job "
        "JOIN edge ON child_id = job.id JOIN job AS parent ON parent.id = parent_id WHERE job.id = ? "
        "AND parent.state <> 'COMPLETED' "
        f"AND NOT (job.accepts_failed_parents = 1 AND parent.state IN ({acceptable})) ORDER BY parent.id",
        (job_id,),
    )
    return [BlockingParent(parent, uuid, index, name, JobState(state)) for parent, uuid, index, name, state in rows]


def stuck_ancestors(database: Database, job_id: int, stuck: Collection[JobState]) -> list[BlockingParent]:
    """The jobs that hold a job up from afar: before it, in one of the states `stuck`; oldest first."""
    rows = database.read(
        "WITH RECURSIVE above (id) AS (SELECT parent_id FROM edge WHERE child_id = ? UNION SELECT edge.parent_id "
        "FROM above JOIN job ON job.id = above.id AND job.state = 'WAITING' JOIN edge ON edge.child_id = job.id) "
        "SELECT job.id, uuid, job_index, name, state FROM above JOIN job ON job.id = above.id "
        f"WHERE state IN ({', '.join('?' * len(stuck))}) ORDER BY job.id",
        (job_id, *(state.value for state in stuck)),
    )
    return [BlockingParent(parent, uuid, index, name, JobState(state)) for parent, uuid, index, name, state in rows]


def attempts_to_end(database: Database, job_id: int) -> list[tuple[int, str]]:
    """``(number, worker)`` of the attempts of a job whose end was asked for and is not confirmed."""
    return database.read("SELECT attempt, worker FROM cancellation WHERE job_id = ? ORDER BY attempt", (job_id,))


def _state(name: str | None) -> JobState | None:
    return None if name is None else JobState(name)
