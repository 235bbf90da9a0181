"""Counting jobs and flows by the time of their last change."""

from collections.abc import Mapping, Sequence

from towline.core.states import FlowState, JobState
from towline.store import change_counts
from towline.store.database import Database

#: Tables of which each row has a state and the time of its last change.
_TABLES: Mapping[type[JobState] | type[FlowState], str] = {JobState: "job", FlowState: "flow"}


def count_by_time(
    database: Database, states: Sequence[JobState] | Sequence[FlowState], bounds: Sequence[float]
) -> list[dict[str, int]]:
    """How many jobs, or flows, changed last in each span of time, and are in each state since.

    Parameters
    ----------
    states
        All of jobs, or all of flows.
    bounds
        Begins of the spans in seconds since the epoch, ascending; the last span has no end.

    Returns
    -------
    ``{state: number}`` for each span; states without any are missing.
    """
    counts: list[dict[str, int]] = [{} for _ in bounds]
    if not states or not bounds:
        return counts
    table, names = _TABLES[type(states[0])], [state.value for state in states]
    rows = (
        change_counts.count(database.read, table, names, bounds)
        if change_counts.answers(table, names, bounds)
        else _count_rows(database, table, names, bounds)
    )
    for state, number, count in rows:
        counts[number][state] = count
    return counts


def _count_rows(
    database: Database, table: str, states: Sequence[str], bounds: Sequence[float]
) -> list[tuple[str, int, int]]:
    """What no counter tells, from an index."""
    spans = " ".join(f"WHEN updated_at < ? THEN {number}" for number in range(len(bounds) - 1))
    span = f"CASE {spans} ELSE {len(bounds) - 1} END" if spans else "0"
    return database.read(
        f"SELECT state, span, count(*) FROM (SELECT state, {span} AS span FROM {table} "
        f"WHERE state IN ({', '.join('?' * len(states))}) AND updated_at >= ?) AS changed GROUP BY state, span",
        (*bounds[1:], *states, bounds[0]),
    )


def longest_running(database: Database, limit: int) -> list[int]:
    """Rows of the jobs whose process runs longest, the longest first."""
    rows = database.read(
        "SELECT id FROM job WHERE state IN ('RUNNING', 'BATCH_RUNNING') AND started_at IS NOT NULL "
        "ORDER BY started_at, id LIMIT ?",
        (limit,),
    )
    return [row[0] for row in rows]


def count_states_by_worker(database: Database) -> dict[str, dict[JobState, int]]:
    """``{worker: {state: number of jobs}}``, from the counters."""
    counts: dict[str, dict[JobState, int]] = {}
    rows = database.read("SELECT worker, state, jobs FROM worker_count WHERE jobs > 0 ORDER BY worker")
    for worker, state, jobs in rows:
        counts.setdefault(worker, {})[JobState(state)] = int(jobs)
    return counts
