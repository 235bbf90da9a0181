"""Flows that need somebody: what does not go on by itself, and what was asked for and has not happened."""

from collections.abc import Collection, Mapping, Sequence

from towline.core.records import PERSON
from towline.core.states import FINAL, IN_FLIGHT, JobState
from towline.store.database import Database
from towline.store.readiness import id_list

#: After this time, an end that was asked for and is not confirmed is worth a look.
_CANCELLATION_SECONDS = 60.0

_QUIET = FINAL | {JobState.WAITING, JobState.PAUSED, JobState.REMOTE_ERROR}


def attention(
    database: Database, counts: Mapping[int, Mapping[JobState, int]], prefix: str = ""
) -> dict[int, tuple[str, ...]]:
    """Why each of these flows needs somebody; flows that do not are missing.

    Parameters
    ----------
    counts
        How many jobs each flow has in each state.
    """
    found: dict[int, list[str]] = {}
    for flow_id, states in counts.items():
        for reason in _of_states(states):
            found.setdefault(flow_id, []).append(reason)
    for job_id, flow_id, name in _holds(database, list(counts)):
        found.setdefault(flow_id, []).append(f"job {prefix}{job_id} ({name}) waits for a person")
    for job_id, flow_id, attempt, seconds in _unconfirmed(database, list(counts)):
        found.setdefault(flow_id, []).append(
            f"the end of attempt {attempt} of job {prefix}{job_id} was asked for {seconds:.0f} s ago "
            "and is not confirmed"
        )
    return {flow_id: tuple(reasons) for flow_id, reasons in found.items()}


def _of_states(states: Mapping[JobState, int]) -> list[str]:
    reasons = []
    errors, failed = states.get(JobState.REMOTE_ERROR, 0), states.get(JobState.FAILED, 0)
    if errors:
        reasons.append(f"{errors} in REMOTE_ERROR: an action of the runner failed, which `tow job retry` repeats")
    if failed:
        reasons.append(f"{failed} FAILED")
    waiting = states.get(JobState.WAITING, 0)
    if waiting and set(states) <= _QUIET and len(states) > 1 and set(states) != {JobState.WAITING, JobState.COMPLETED}:
        reasons.append(f"{waiting} WAITING for jobs that do not go on by themselves")
    return reasons


def _holds(database: Database, flow_ids: Sequence[int]) -> list[tuple[int, int, str]]:
    return database.read(
        "SELECT id, flow_id, name FROM job WHERE state = 'READY' AND worker = ? "
        "AND flow_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (PERSON, id_list(flow_ids)),
    )


def _unconfirmed(database: Database, flow_ids: Sequence[int]) -> list[tuple[int, int, int, float]]:
    now = database.clock()
    rows = database.read(
        # The + has SQLite begin with the requests, which are few.
        "SELECT job_id, flow_id, cancellation.attempt, requested_at FROM cancellation "
        "JOIN job ON job.id = cancellation.job_id WHERE requested_at < ? "
        "AND +job.flow_id IN (SELECT value FROM json_each(?)) ORDER BY job_id",
        (now - _CANCELLATION_SECONDS, id_list(flow_ids)),
    )
    return [(job_id, flow_id, attempt, now - requested_at) for job_id, flow_id, attempt, requested_at in rows]


def on_lost_workers(
    database: Database, workers: Collection[str], flow_ids: Sequence[int]
) -> dict[int, tuple[str, ...]]:
    """Why flows need somebody that have jobs of workers which are not among `workers`, the configured ones."""
    counts = database.read("SELECT DISTINCT worker FROM worker_count WHERE jobs > 0")
    lost = [worker for (worker,) in counts if worker not in workers and worker != PERSON]
    ends = database.read(
        "SELECT job.flow_id, cancellation.worker, count(*) FROM cancellation JOIN job ON job.id = cancellation.job_id "
        "WHERE +job.flow_id IN (SELECT value FROM json_each(?)) GROUP BY job.flow_id, cancellation.worker",
        (id_list(flow_ids),),
    )
    found: dict[int, list[str]] = {}
    for flow_id, worker, state, jobs in _unfinished(database, lost, flow_ids):
        found.setdefault(flow_id, []).append(f"{jobs} {state} of the worker {worker}, which is not configured")
    for flow_id, worker, attempts in ends:
        if worker not in workers:
            text = f"{attempts} to be ended on the worker {worker}, which is not configured"
            found.setdefault(flow_id, []).append(text)
    return {flow_id: tuple(reasons) for flow_id, reasons in found.items()}


def _unfinished(database: Database, workers: Sequence[str], flow_ids: Sequence[int]) -> list[tuple[int, str, str, int]]:
    """``(flow, worker, state, number of jobs)`` of what is READY for these workers, or on its way there."""
    if not workers:
        return []
    states = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT | {JobState.READY}))
    # The + keeps SQLite from the index of states: these flows have fewer jobs than these states.
    return database.read(
        f"SELECT flow_id, worker, state, count(*) FROM job WHERE +job.state IN ({states}) "
        f"AND +job.worker IN ({', '.join('?' * len(workers))}) AND flow_id IN (SELECT value FROM json_each(?)) "
        "GROUP BY flow_id, worker, state ORDER BY flow_id, worker, state",
        (*workers, id_list(flow_ids)),
    )


def ends_by_worker(database: Database) -> dict[str, int]:
    """How many attempts have to end on each worker, of deleted jobs too."""
    return dict(database.read("SELECT worker, count(*) FROM cancellation GROUP BY worker ORDER BY worker"))
