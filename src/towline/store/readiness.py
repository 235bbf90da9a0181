"""Whether a job may start: how many of its parents have not finished.

Completing a job counts its children down, which costs nothing. What a user does may move parents in any direction: then
the number is counted anew, from the edges, for the few jobs concerned.
"""

from collections.abc import Iterable

import orjson

from towline.core.states import FAILED_BUT_ACCEPTABLE, JobState
from towline.store.database import Transaction

_ACCEPTABLE = ", ".join(f"'{state.value}'" for state in sorted(FAILED_BUT_ACCEPTABLE))

#: Parents of `job` that have not finished; the rule of :func:`towline.store.jobs.is_finished`.
_UNFINISHED_PARENTS = (
    "SELECT count(*) FROM edge JOIN job AS parent ON parent.id = edge.parent_id WHERE edge.child_id = job.id "
    f"AND parent.state <> 'COMPLETED' AND NOT (job.accepts_failed_parents = 1 AND parent.state IN ({_ACCEPTABLE}))"
)


def id_list(ids: Iterable[int]) -> str:
    """Ids as the one parameter of ``IN (SELECT value FROM json_each(?))``, however many they are."""
    return orjson.dumps(list(ids)).decode()


def count_missing(transaction: Transaction, job_ids: Iterable[int]) -> None:
    """Count the unfinished parents of these jobs anew. Their states stay."""
    transaction.execute(
        f"UPDATE job SET missing = ({_UNFINISHED_PARENTS}) WHERE id IN (SELECT value FROM json_each(?))",
        (id_list(job_ids),),
    )


def recount(transaction: Transaction, job_ids: Iterable[int]) -> None:
    """Count the unfinished parents of these jobs anew, and move them between WAITING and READY accordingly."""
    listed = list(job_ids)
    if not listed:
        return
    count_missing(transaction, listed)
    rows = transaction.execute(
        "UPDATE job SET previous_state = state, state = CASE missing WHEN 0 THEN 'READY' ELSE 'WAITING' END, "
        "updated_at = ? WHERE id IN (SELECT value FROM json_each(?)) "
        "AND ((+job.state = 'WAITING' AND missing = 0) OR (+job.state = 'READY' AND missing > 0)) "
        "RETURNING id, flow_id, worker, state",
        (transaction.now, id_list(listed)),
    ).fetchall()
    for job_id, flow_id, worker, state in rows:
        before = JobState.WAITING if state == JobState.READY.value else JobState.READY
        transaction.record(job_id, flow_id, worker, before, JobState(state))


def children_of(transaction: Transaction, job_ids: Iterable[int]) -> list[int]:
    """Ids of the jobs that have one of `job_ids` as a parent."""
    rows = transaction.execute(
        "SELECT DISTINCT child_id FROM edge WHERE parent_id IN (SELECT value FROM json_each(?))", (id_list(job_ids),)
    ).fetchall()
    return [row[0] for row in rows]


def descendants_of(transaction: Transaction, job_ids: Iterable[int]) -> list[int]:
    """Ids of everything that comes after `job_ids`, without them unless they come after each other."""
    rows = transaction.execute(
        "WITH RECURSIVE below (id) AS (SELECT child_id FROM edge WHERE parent_id IN (SELECT value FROM json_each(?)) "
        "UNION SELECT edge.child_id FROM edge JOIN below ON edge.parent_id = below.id) SELECT id FROM below",
        (id_list(job_ids),),
    ).fetchall()
    return [row[0] for row in rows]
