"""What users do to jobs: pause, resume, stop, retry, and change what a job asks for.

Each function is one transaction's part for any number of jobs, in a few statements. Which action is possible in which
state is decided by :mod:`towline.core.actions`; jobs that an action is not possible for stay as they are and are named
in the result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from towline.core.actions import Action, Refusal, decide
from towline.core.records import PERSON
from towline.core.states import HELD, IN_FLIGHT, NOT_STARTED, JobState
from towline.errors import IllegalMove
from towline.store.affected import ActionResult, AffectedJob, affected, move, request_cancellation
from towline.store.database import Transaction
from towline.store.readiness import children_of, id_list, recount
from towline.store.reruns import begin_new_attempts, states_by_parents


@dataclass(frozen=True, slots=True)
class RunProperties:
    """What a job asks for; None leaves a property as it is."""

    worker: str | None = None
    #: Name of an execution configuration, or the configuration itself.
    exec_config: str | Mapping[str, Any] | None = None
    resources: Mapping[str, Any] | None = None
    #: Folder on the worker that its run folders are in; empty is the worker's own.
    work_dir: str | None = None


def sort_out(
    jobs: Iterable[AffectedJob], action: Action, *, force: bool = False
) -> tuple[list[AffectedJob], dict[int, IllegalMove]]:
    """The jobs for which `action` is possible, and the refusals of the others."""
    possible, refused = [], {}
    for job in jobs:
        decision = decide(action, job.state, force=force)
        if isinstance(decision, Refusal):
            refused[job.id] = decision.error(job.db_id)
        else:
            possible.append(job)
    return possible, refused


def pause(transaction: Transaction, job_ids: Iterable[int]) -> ActionResult:
    """Hold jobs that have not started."""
    jobs, refused = sort_out(affected(transaction, job_ids), Action.PAUSE)
    move(transaction, jobs, dict.fromkeys([job.id for job in jobs], JobState.PAUSED), None)
    return _result(jobs, refused)


def resume(transaction: Transaction, job_ids: Iterable[int]) -> ActionResult:
    """Let jobs go on that were paused or stopped. One that had begun gets a new attempt."""
    jobs, refused = sort_out(affected(transaction, job_ids), Action.RESUME)
    begun = [job for job in jobs if job.begun]
    renewed = [*begin_new_attempts(transaction, begun), *(job for job in jobs if not job.begun)]
    move(transaction, renewed, states_by_parents(transaction, [job.id for job in jobs]), None)
    recount(transaction, children_of(transaction, [job.id for job in jobs]))
    return _result(jobs, refused)


def resume_flow(transaction: Transaction, flow_id: int) -> ActionResult:
    """Let every job of a flow go on that was paused or stopped, and take the stop mark off the flow."""
    transaction.execute("UPDATE flow SET stop_requested = 0 WHERE id = ?", (flow_id,))
    states = ", ".join(f"'{state.value}'" for state in sorted(HELD))
    rows = transaction.execute(f"SELECT id FROM job WHERE flow_id = ? AND +job.state IN ({states})", (flow_id,))
    return resume(transaction, [row[0] for row in rows.fetchall()])


def stop(transaction: Transaction, job_ids: Iterable[int]) -> ActionResult:
    """End jobs, wherever they are. The processes of those in flight end when the runner has confirmed it."""
    jobs, refused = sort_out(affected(transaction, job_ids), Action.STOP)
    request_cancellation(transaction, [job for job in jobs if job.may_be_alive])
    move(transaction, jobs, dict.fromkeys([job.id for job in jobs], JobState.USER_STOPPED), None)
    # A stopped parent counts as finished for children that accept failed parents.
    recount(transaction, children_of(transaction, [job.id for job in jobs]))
    return _result(jobs, refused)


def retry(transaction: Transaction, job_ids: Iterable[int]) -> ActionResult:
    """Repeat the action of the runner that failed, at once."""
    jobs, refused = sort_out(affected(transaction, job_ids), Action.RETRY)
    failed = [job for job in jobs if job.state is JobState.REMOTE_ERROR]
    move(transaction, failed, {job.id: job.previous_state or JobState.READY for job in failed}, None)
    transaction.execute(
        "UPDATE job_outcome SET failure = NULL WHERE job_id IN (SELECT value FROM json_each(?))",
        (id_list(job.id for job in failed),),
    )
    # Without a holder, the runner takes it up anew and tries at once.
    transaction.execute(
        "UPDATE job SET step_attempts = 0, retry_at = NULL, lease_owner = NULL "
        "WHERE retry_at IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
        (id_list(job.id for job in jobs),),
    )
    # What failed may have been the claim itself: then the parents decide.
    recount(transaction, [job.id for job in failed])
    return _result(jobs, refused)


def set_priority(transaction: Transaction, job_ids: Iterable[int], priority: int) -> ActionResult:
    """Change the priority; 0 is a value like any other."""
    jobs, refused = sort_out(affected(transaction, job_ids), Action.SET_PRIORITY)
    transaction.execute(
        "UPDATE job SET priority = ? WHERE id IN (SELECT value FROM json_each(?))",
        (priority, id_list(job.id for job in jobs)),
    )
    for job in jobs:
        transaction.note(job.id, f"priority {priority}")
    return _result(jobs, refused)


def set_run_properties(
    transaction: Transaction, job_ids: Iterable[int], properties: RunProperties, *, replace: bool = False
) -> ActionResult:
    """Change worker, execution configuration, resources or work_dir of jobs that no worker holds.

    Worker and work_dir of an attempt that has begun stay what they are: others are for the next attempt.

    Parameters
    ----------
    replace
        Put mappings in the place of the old ones, instead of merging them key by key.
    """
    jobs, refused = sort_out(affected(transaction, job_ids), Action.SET_RUN_PROPERTIES)
    refused.update(_refused_holds(jobs, properties))
    jobs = [job for job in jobs if job.id not in refused]
    settings = _settings(transaction, [job.id for job in jobs])
    for job in jobs:
        settings[job.id] = _changed_settings(settings[job.id], job, properties, replace)
        transaction.note(job.id, _describe(properties))
    transaction.executemany(
        "UPDATE job_document SET settings = ? WHERE job_id = ?",
        [(orjson.dumps(document), job_id) for job_id, document in settings.items()],
    )
    if properties.worker is not None:
        _change_worker(transaction, [job for job in jobs if _may_move(job)], properties.worker)
    return _result(jobs, refused)


def set_state(transaction: Transaction, job_ids: Iterable[int], state: JobState) -> ActionResult:
    """Force jobs into a state, unchecked. Their flows and children follow."""
    jobs = affected(transaction, job_ids)
    if state not in IN_FLIGHT:
        request_cancellation(transaction, [job for job in jobs if job.state in IN_FLIGHT])
    move(transaction, jobs, dict.fromkeys([job.id for job in jobs], state), "set by the user")
    recount(transaction, children_of(transaction, [job.id for job in jobs]))
    return _result(jobs, {})


def _result(jobs: Iterable[AffectedJob], refused: Mapping[int, IllegalMove]) -> ActionResult:
    return ActionResult(tuple(job.id for job in jobs), refused)


def _settings(transaction: Transaction, job_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    rows = transaction.execute(
        "SELECT job_id, settings FROM job_document WHERE job_id IN (SELECT value FROM json_each(?))",
        (id_list(job_ids),),
    ).fetchall()
    return {job_id: orjson.loads(settings) for job_id, settings in rows}


def _changed_settings(
    settings: Mapping[str, Any], job: AffectedJob, properties: RunProperties, replace: bool
) -> dict[str, Any]:
    changed = dict(settings)
    for key, new in (("exec_config", properties.exec_config), ("resources", properties.resources)):
        if new is None:
            continue
        old = changed.get(key)
        merges = isinstance(new, Mapping) and isinstance(old, Mapping) and not replace
        changed[key] = {**old, **new} if merges else new  # type: ignore[dict-item]  # both are mappings then
    if properties.worker is not None and not _may_move(job):
        changed["next_worker"] = properties.worker
    if properties.work_dir is not None:
        changed["work_dir" if _may_move(job) else "next_work_dir"] = properties.work_dir
    return changed


def _refused_holds(jobs: Iterable[AffectedJob], properties: RunProperties) -> dict[int, IllegalMove]:
    return {
        job.id: IllegalMove(
            f"job {job.db_id} waits for a person, on no worker. To decide it: tow job approve {job.db_id}, or "
            f"tow job reject {job.db_id}"
        )
        for job in jobs
        if job.worker == PERSON and properties.worker is not None
    }


def _may_move(job: AffectedJob) -> bool:
    """Whether the present attempt can go to another worker. A READY job that a worker gave back had not started."""
    return job.state in NOT_STARTED or not job.begun


def _change_worker(transaction: Transaction, jobs: Iterable[AffectedJob], worker: str) -> None:
    others = [job for job in jobs if job.worker != worker]
    transaction.execute(
        "UPDATE job SET worker = ? WHERE id IN (SELECT value FROM json_each(?))",
        (worker, id_list(job.id for job in others)),
    )
    for job in others:
        transaction.recount_worker(job.state, job.worker, worker)


def _describe(properties: RunProperties) -> str:
    names = ("worker", "exec_config", "resources", "work_dir")
    parts = [(name, getattr(properties, name)) for name in names]
    # Values of an execution configuration may be secret; its name is not.
    return ", ".join(
        f"{name} {value}" if isinstance(value, str) else f"{name} changed" for name, value in parts if value is not None
    )
