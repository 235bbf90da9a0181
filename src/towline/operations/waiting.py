"""Waiting for jobs and flows from a script or from the command line."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from towline.core.records import PERSON
from towline.core.states import FINAL, JobState
from towline.errors import NoSuchFlow, NoSuchJob, WaitTimedOut
from towline.operations.compose import OpenProject, open_project
from towline.store.database import Database
from towline.store.holds import waiting_holds

#: Naps between two looks: short at first, because many jobs take milliseconds; later the database is asked whether
#: anything changed, which costs microseconds.
_FIRST_NAP_SECONDS = 0.001
_LONGEST_NAP_SECONDS = 0.05

#: States in which a job waits for its user.
_NEEDS_USER = frozenset({JobState.REMOTE_ERROR, JobState.PAUSED})


@dataclass(frozen=True, slots=True)
class Waited:
    """How the jobs that were waited for ended."""

    #: Number of jobs in each state, jobs that were added meanwhile included.
    states: Mapping[JobState, int]

    @property
    def completed(self) -> bool:
        """Whether all are COMPLETED."""
        return set(self.states) == {JobState.COMPLETED}

    def __bool__(self) -> bool:
        return self.completed


def wait_flow(
    ids: str | Sequence[str],
    timeout_seconds: float | None = None,
    project: str | None = None,
    progress: Callable[[Mapping[JobState, int]], None] | None = None,
) -> Waited:
    """Wait until nothing moves any more in the flows of these jobs.

    That is so when each job is COMPLETED, FAILED, stopped, paused, in REMOTE_ERROR, or waits for one that is.

    Parameters
    ----------
    ids
        What `submit_flow` returned, or any db_id or uuid of a job, or uuid of a flow.
    timeout_seconds
        How long to wait; None is for ever.
    progress
        Called with the number of jobs in each state whenever it changed.

    Returns
    -------
    The states; true when all jobs are COMPLETED.

    Raises
    ------
    WaitTimedOut
        Time is up. The flow goes on.
    NoSuchJob, NoSuchFlow
        There is no such job or flow.
    """
    with open_project(project) as opened:
        wanted = [ids] if isinstance(ids, str) else list(ids)
        flow_ids = flows_of(opened, wanted)
        return _wait(opened.database, lambda: _flow_states(opened.database, flow_ids), timeout_seconds, progress)


def wait_jobs(
    opened: OpenProject,
    job_ids: Sequence[int],
    timeout_seconds: float | None = None,
    progress: Callable[[Mapping[JobState, int]], None] | None = None,
) -> Waited:
    """Wait until each of these jobs is COMPLETED, FAILED, stopped, or needs its user, as a hold does."""
    return _wait(opened.database, lambda: _job_states(opened.database, job_ids), timeout_seconds, progress)


def flows_of(opened: OpenProject, ids: Sequence[str]) -> list[int]:
    """Row ids of the flows with these uuids, or of the jobs with these db_ids or uuids."""
    prefix = opened.db_id_prefix
    numbers = [int(text) for item in ids if (text := item.removeprefix(prefix)).isdigit()]
    listed = orjson.dumps(list(ids)).decode()
    rows = opened.database.read(
        "SELECT DISTINCT flow_id FROM job WHERE id IN (SELECT value FROM json_each(?)) "
        "OR uuid IN (SELECT value FROM json_each(?)) UNION SELECT id FROM flow "
        "WHERE uuid IN (SELECT value FROM json_each(?))",
        (orjson.dumps(numbers).decode(), listed, listed),
    )
    if not rows:
        error = NoSuchJob if numbers else NoSuchFlow
        raise error(f"nothing in the queue has the id {', '.join(ids[:5])}; `tow flow list` shows what there is")
    return [row[0] for row in rows]


def _wait(
    database: Database,
    look: Callable[[], tuple[dict[JobState, int], bool]],
    timeout_seconds: float | None,
    progress: Callable[[Mapping[JobState, int]], None] | None,
) -> Waited:
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    version, shown, nap_seconds = None, None, _FIRST_NAP_SECONDS
    while True:
        newest = database.data_version()
        if newest != version:
            version = newest
            states, finished = look()
            if progress is not None and states != shown:
                shown = states
                progress(states)
            if finished:
                return Waited(states)
            nap_seconds = _FIRST_NAP_SECONDS
        if deadline is not None and time.monotonic() >= deadline:
            counted = ", ".join(f"{count} {state.value}" for state, count in states.items())
            raise WaitTimedOut(
                f"after {timeout_seconds:g} s the jobs are: {counted}. They go on; "
                "`tow runner status` says whether a runner is active"
            )
        time.sleep(nap_seconds)
        nap_seconds = min(_LONGEST_NAP_SECONDS, nap_seconds * 1.2)


def _flow_states(database: Database, flow_ids: Sequence[int]) -> tuple[dict[JobState, int], bool]:
    rows = database.read(
        "SELECT state, SUM(jobs) FROM flow_count WHERE jobs > 0 AND flow_id IN (SELECT value FROM json_each(?)) "
        "GROUP BY state",
        (orjson.dumps(list(flow_ids)).decode(),),
    )
    states = {JobState(state): jobs for state, jobs in rows}
    if not set(states) <= FINAL | _NEEDS_USER | {JobState.WAITING, JobState.READY}:
        return states, False
    if JobState.READY in states and len(waiting_holds(database, flow_ids)) < states[JobState.READY]:
        return states, False
    # Nothing moves in these flows: a job that waits, waits for one that never will, unless that is in another flow.
    return states, JobState.WAITING not in states or not _waits_for_others(database, flow_ids)


def _waits_for_others(database: Database, flow_ids: Sequence[int]) -> bool:
    listed = orjson.dumps(list(flow_ids)).decode()
    moving = ", ".join(f"'{state.value}'" for state in JobState if state not in FINAL | _NEEDS_USER)
    return bool(
        database.read(
            "SELECT 1 FROM job JOIN edge ON edge.child_id = job.id JOIN job AS parent ON parent.id = edge.parent_id "
            "WHERE job.flow_id IN (SELECT value FROM json_each(?)) AND +job.state = 'WAITING' "
            f"AND parent.flow_id NOT IN (SELECT value FROM json_each(?)) AND parent.state IN ({moving}) LIMIT 1",
            (listed, listed),
        )
    )


def _job_states(database: Database, job_ids: Sequence[int]) -> tuple[dict[JobState, int], bool]:
    rows = database.read(
        "SELECT state, COUNT(*) FROM job WHERE id IN (SELECT value FROM json_each(?)) GROUP BY state",
        (orjson.dumps(list(job_ids)).decode(),),
    )
    states = {JobState(state): jobs for state, jobs in rows}
    if not set(states) <= FINAL | _NEEDS_USER | {JobState.WAITING, JobState.READY}:
        return states, False
    if JobState.READY in states and _any_for_a_worker(database, job_ids):
        return states, False
    return states, JobState.WAITING not in states or not _something_moves_before(database, job_ids)


def _any_for_a_worker(database: Database, job_ids: Sequence[int]) -> bool:
    """Whether one of these jobs is READY for a worker: the others that are READY wait for a person."""
    return bool(
        database.read(
            "SELECT 1 FROM job WHERE id IN (SELECT value FROM json_each(?)) AND +job.state = 'READY' AND worker <> ? "
            "LIMIT 1",
            (orjson.dumps(list(job_ids)).decode(), PERSON),
        )
    )


def _something_moves_before(database: Database, job_ids: Sequence[int]) -> bool:
    """Whether anything that these jobs wait for, near or far, can still move."""
    still = FINAL | _NEEDS_USER | {JobState.WAITING}
    moving = ", ".join(f"'{state.value}'" for state in JobState if state not in still)
    return bool(
        database.read(
            "WITH RECURSIVE above (id) AS (SELECT value FROM json_each(?) UNION SELECT parent_id FROM above "
            "JOIN job ON job.id = above.id AND job.state = 'WAITING' JOIN edge ON edge.child_id = job.id) "
            f"SELECT 1 FROM above JOIN job ON job.id = above.id WHERE job.state IN ({moving}) AND job.worker <> ? "
            "LIMIT 1",
            (orjson.dumps(list(job_ids)).decode(), PERSON),
        )
    )
