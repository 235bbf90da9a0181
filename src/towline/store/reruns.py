"""Jobs that run again: a new attempt for each, with what the old one left kept beside it.

What came after a job that runs again goes back with it. Jobs that it made while it ran (replacement, addition, detour)
leave the queue for the history, because the new attempt makes its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from towline.core.actions import Action, Effect, Refusal, decide
from towline.core.records import AUTOMATIC
from towline.core.states import NOT_STARTED, JobState
from towline.errors import IllegalMove
from towline.store.affected import ActionResult, AffectedJob, affected, move, request_cancellation
from towline.store.database import Transaction
from towline.store.deletions import remove_jobs
from towline.store.readiness import children_of, count_missing, descendants_of, id_list, recount
from towline.store.retired_jobs import keep_history

#: Keys of the settings that are about one attempt.
_RENEWED = (AUTOMATIC, "next_worker", "next_work_dir")

#: What children of a job that runs again may be in, unless the user insists.
_UNTOUCHED = NOT_STARTED | {JobState.PAUSED}


def rerun(transaction: Transaction, job_ids: Iterable[int], *, force: bool = False) -> ActionResult:
    """Run jobs again.

    Parameters
    ----------
    force
        Also jobs that completed or were stopped; everything that ran after them runs again too.
    """
    chosen, spreading, refused = _sort_out(affected(transaction, job_ids), force=force)
    if force:
        followers, retired = _followers(transaction, spreading)
        chosen = _without(chosen, retired)
        followers = _without(followers, {*retired, *(job.id for job in chosen)})
    else:
        busy = _busy_children(transaction, spreading)
        refused.update(busy)
        chosen, followers, retired = _without(chosen, busy), [], set()
    again = begin_new_attempts(transaction, [*chosen, *followers])
    listed = [job.id for job in again]
    # Those that run again are unfinished from here on; only then the parents of each can be counted.
    transaction.execute(
        "UPDATE job SET state = 'WAITING' WHERE id IN (SELECT value FROM json_each(?))", (id_list(listed),)
    )
    _retire(transaction, retired)
    children = children_of(transaction, listed)
    count_missing(transaction, {*listed, *children})
    move(transaction, again, states_by_parents(transaction, listed), "rerun")
    recount(transaction, set(children) - set(listed))
    also = tuple(job.id for job in followers) + tuple(sorted(retired))
    return ActionResult(tuple(job.id for job in chosen), refused, also)


def begin_new_attempts(
    transaction: Transaction,
    jobs: Sequence[AffectedJob],
    *,
    ended_as: Mapping[int, JobState] | None = None,
    followed_by: Mapping[int, str] | None = None,
    changes: Mapping[int, Mapping[str, Any]] | None = None,
) -> list[AffectedJob]:
    """Put the present attempts of `jobs` into the history; return the jobs with their new ones. Their states stay.

    Parameters
    ----------
    ended_as
        What each attempt counts as; the present state of the job by default.
    followed_by
        Why each has another attempt; a user asked for it by default.
    changes
        Keys of the settings that change. Without them, what the policy of a job did so far is forgotten.
    """
    if not jobs:
        return []
    request_cancellation(transaction, [job for job in jobs if job.may_be_alive])
    listed = id_list(job.id for job in jobs)
    outcomes = transaction.execute(
        "SELECT job.id, job.attempt, job.state, worker, run_dir, started_at, ended_at, process_id, exit_code, "
        "exit_signal, reason, failure, stored_data, exit_record, environment FROM job "
        "LEFT JOIN job_outcome ON job_id = job.id WHERE job.id IN (SELECT value FROM json_each(?))",
        (listed,),
    ).fetchall()
    states = {job_id: state.value for job_id, state in (ended_as or {}).items()}
    transaction.executemany(
        "INSERT INTO attempt (job_id, attempt, state, worker, run_dir, started_at, ended_at, outcome) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (*row[:2], states.get(row[0], row[2]), *row[3:7], _outcome(row[7:], (followed_by or {}).get(row[0])))
            for row in outcomes
        ],
    )
    transaction.execute("DELETE FROM job_outcome WHERE job_id IN (SELECT value FROM json_each(?))", (listed,))
    transaction.execute(
        "UPDATE job SET attempt = attempt + 1, lease_owner = NULL, process_id = NULL, run_dir = NULL, "
        "started_at = NULL, ended_at = NULL, step_attempts = 0, retry_at = NULL, exit_code = NULL, "
        "exit_signal = NULL, reason = NULL, previous_state = NULL WHERE id IN (SELECT value FROM json_each(?))",
        (listed,),
    )
    _renew_settings(transaction, jobs, changes or {})
    return affected(transaction, [job.id for job in jobs])


def states_by_parents(transaction: Transaction, job_ids: Iterable[int]) -> dict[int, JobState]:
    """READY or WAITING for each of these jobs, by its number of unfinished parents."""
    rows = transaction.execute(
        "SELECT id, missing FROM job WHERE id IN (SELECT value FROM json_each(?))", (id_list(job_ids),)
    ).fetchall()
    return {job_id: JobState.WAITING if missing else JobState.READY for job_id, missing in rows}


def _sort_out(
    jobs: Iterable[AffectedJob], *, force: bool
) -> tuple[list[AffectedJob], list[AffectedJob], dict[int, IllegalMove]]:
    """The jobs that may run again, those among them that take others along, and the refusals."""
    chosen: list[AffectedJob] = []
    spreading: list[AffectedJob] = []
    refused: dict[int, IllegalMove] = {}
    for job in jobs:
        decision: Effect | Refusal = decide(Action.RERUN, job.state, force=force)
        if isinstance(decision, Refusal):
            refused[job.id] = decision.error(job.db_id)
            continue
        chosen.append(job)
        if decision.spreads:
            spreading.append(job)
    return chosen, spreading, refused


def _without(jobs: Iterable[AffectedJob], ids: Iterable[int]) -> list[AffectedJob]:
    left_out = set(ids)
    return [job for job in jobs if job.id not in left_out]


def _busy_children(transaction: Transaction, jobs: Sequence[AffectedJob]) -> dict[int, IllegalMove]:
    """Refusals for those of `jobs` that have a child which ran, runs or was stopped."""
    states = ", ".join(f"'{state.value}'" for state in sorted(_UNTOUCHED))
    rows = transaction.execute(
        "SELECT parent_id, child_id, state FROM edge JOIN job ON job.id = child_id "
        f"WHERE parent_id IN (SELECT value FROM json_each(?)) AND state NOT IN ({states})",
        (id_list(job.id for job in jobs),),
    ).fetchall()
    return {
        parent: IllegalMove(
            f"job {transaction.db_id(parent)} has a child that is past its start: "
            f"job {transaction.db_id(child)} is {state}. "
            f"To run both again: tow job rerun --force {transaction.db_id(parent)}"
        )
        for parent, child, state in rows
    }


def _followers(transaction: Transaction, jobs: Sequence[AffectedJob]) -> tuple[list[AffectedJob], set[int]]:
    """Jobs after `jobs` that have to run again, and the ids of those that leave because one of both made them."""
    starts = {job.id for job in jobs}
    retired: set[int] = set()
    while True:
        # What waited for a replacement comes after the replacement, and no longer after the job that was replaced.
        below = [
            job
            for job in affected(transaction, descendants_of(transaction, starts | retired))
            if job.state not in _UNTOUCHED
        ]
        found = _made_by(transaction, starts | retired | {job.id for job in below})
        if found <= retired:
            return below, retired
        retired |= found


def _made_by(transaction: Transaction, makers: Iterable[int]) -> set[int]:
    """Everything that `makers` made, and what these made in turn."""
    rows = transaction.execute(
        "WITH RECURSIVE made (id) AS (SELECT id FROM job WHERE made_by IN (SELECT value FROM json_each(?)) "
        "UNION SELECT job.id FROM job JOIN made ON job.made_by = made.id) SELECT id FROM made",
        (id_list(makers),),
    ).fetchall()
    return {row[0] for row in rows}


def _retire(transaction: Transaction, job_ids: set[int]) -> None:
    """Take jobs that were made by a job which runs again out of the queue; whoever waited for them waits for it."""
    if not job_ids:
        return
    retired = affected(transaction, job_ids)
    listed = id_list(job_ids)
    # A replacement had taken over the children of the job with its uuid.
    remaining = dict(
        transaction.execute(
            "SELECT uuid, max(id) FROM job WHERE uuid IN (SELECT value FROM json_each(?)) "
            "AND id NOT IN (SELECT value FROM json_each(?)) GROUP BY uuid",
            (orjson.dumps([job.uuid for job in retired]).decode(), listed),
        ).fetchall()
    )
    transaction.executemany(
        "INSERT INTO edge (parent_id, child_id) SELECT ?, child_id FROM edge WHERE parent_id = ? "
        "AND child_id NOT IN (SELECT value FROM json_each(?)) ON CONFLICT DO NOTHING",
        [(remaining[job.uuid], job.id, listed) for job in retired if job.uuid in remaining],
    )
    keep_history(transaction, retired)
    remove_jobs(transaction, retired, note="the job that made it runs again")


def _renew_settings(
    transaction: Transaction, jobs: Iterable[AffectedJob], changes: Mapping[int, Mapping[str, Any]]
) -> None:
    """Change settings for the next attempts, and move jobs to the worker that was chosen for these."""
    by_id = {job.id: job for job in jobs}
    rows = transaction.execute(
        "SELECT job_id, settings FROM job_document WHERE job_id IN (SELECT value FROM json_each(?))",
        (id_list(by_id),),
    ).fetchall()
    changed = []
    for job_id, document in rows:
        # Looked for in the text: most jobs have neither key, and are not decoded.
        if job_id not in changes and not any(f'"{key}"'.encode() in bytes(document) for key in _RENEWED):
            continue
        settings = orjson.loads(document)
        settings.pop(AUTOMATIC, None)
        settings.update(changes.get(job_id, {}))
        worker = settings.pop("next_worker", None)
        if worker is not None:
            transaction.execute("UPDATE job SET worker = ? WHERE id = ?", (worker, job_id))
            transaction.recount_worker(by_id[job_id].state, by_id[job_id].worker, worker)
        if "next_work_dir" in settings:
            settings["work_dir"] = settings.pop("next_work_dir")
        changed.append((orjson.dumps(settings), job_id))
    transaction.executemany("UPDATE job_document SET settings = ? WHERE job_id = ?", changed)


def _outcome(columns: Sequence[object], followed_by: str | None) -> bytes:
    """What an attempt left, as one JSON object; the documents among it are put in undecoded."""
    process_id, exit_code, exit_signal, reason, *documents = columns
    values = {"process_id": process_id, "exit_code": exit_code, "exit_signal": exit_signal, "reason": reason}
    facts = orjson.dumps(values if followed_by is None else {**values, "followed_by": followed_by})
    names = ("failure", "stored_data", "exit_record", "environment")
    named = zip(names, documents, strict=True)
    parts = [b'"%s":%s' % (name.encode(), document) for name, document in named if document]
    return b",".join([facts[:-1], *parts]) + b"}"
