"""What a job waits for, in sentences, and what to type next."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from towline.configuration.hosts import host_of, workers_on
from towline.core.records import PERSON
from towline.core.states import HELD, IN_FLIGHT, JobState
from towline.store import job_history, leases
from towline.store.holds import hold_text
from towline.store.job_info import JobInfo

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

#: States in which a job needs the user before those after it can run.
_STUCK = HELD | {JobState.FAILED, JobState.REMOTE_ERROR}


def waits_for(opened: "OpenProject", job: JobInfo) -> tuple[str, ...]:
    """Everything that keeps a job that could run from running; its parents are told elsewhere."""
    if job.state is JobState.READY:
        return tuple(_ready(opened, job))
    if job.state in IN_FLIGHT and job.worker not in opened.project.workers:
        return (_lost(opened, job.worker),)
    if job.state in (JobState.CHECKED_OUT, JobState.UPLOADED, JobState.SUBMITTED, JobState.BATCH_SUBMITTED):
        return tuple(_handed_over(opened, job))
    return (*_ends(opened, job), *_elsewhere(opened, job))


def advice(opened: "OpenProject", job: JobInfo) -> str | None:
    """What to type next."""
    db_id = job.db_id
    if job.state is JobState.READY and job.worker == PERSON:
        return f"to decide it: tow job approve {db_id}, or tow job reject {db_id} --message WHY"
    by_state = {
        JobState.FAILED: _after_failure(opened, job),
        JobState.REMOTE_ERROR: f"to repeat what failed: tow job retry {db_id}; to start anew: tow job rerun {db_id}",
        JobState.COMPLETED: f"its result: tow job output {_newest_index(opened, job)}",
        **dict.fromkeys(HELD, f"to let it run: tow job resume {db_id}"),
    }
    lost = [worker for _, worker in job_history.attempts_to_end(opened.database, job.id)]
    if job.state in IN_FLIGHT:
        lost.append(job.worker)
    if set(lost) - set(opened.project.workers):
        return (
            "put the worker back into the project file, and the runner finds out what became of the attempt; or give "
            f"the attempt up: tow job stop {db_id}, then tow admin unlock --db-id {db_id}"
        )
    if job.state in by_state:
        return by_state[job.state]
    if job.state is JobState.WAITING:
        for stuck in job_history.stuck_ancestors(opened.database, job.id, _STUCK):
            culprit = f"{opened.db_id_prefix}{stuck.id}"
            return f"it cannot start: job {culprit}, before it, is {stuck.state.value}: tow job info {culprit}"
    if not runner_seems_active(opened):
        return "no runner is active, so nothing moves: tow runner start"
    if job.remote.retry_time_limit is not None:
        return f"to see what is wrong there: tow worker check {job.worker}; to try again at once: tow job retry {db_id}"
    return None


def _newest_index(opened: "OpenProject", job: JobInfo) -> str:
    """The db_id of what stands for the job in the end: the job that replaced it, if one did."""
    rows = opened.database.read("SELECT id FROM job WHERE uuid = ? ORDER BY job_index DESC LIMIT 1", (job.uuid,))
    return f"{opened.db_id_prefix}{rows[0][0]}" if rows else job.db_id


#: What helps against a failure, by its reason; ID stands for the job.
_HELP = {
    "timeout": "give it more time: tow job set resources --time 4:00:00 -did ID, then tow job rerun ID",
    "out_of_memory": "give it more memory: tow job set resources --mem 16G -did ID, then tow job rerun ID",
    "node_failure": "its machine failed: tow job rerun ID; by itself next time with the retry policy node_failure: 3",
    "preempted": "another job took its place: tow job rerun ID; by itself next time with the retry policy preempted: 3",
    "interrupted": "its allocations end too soon for it: a longer time limit in the resources of the worker, or "
    "checkpoints with the retry policy interrupted: {times: 10, keep: [...]}; then tow job rerun ID",
    "cancelled": "somebody ended it on the worker; to run it again: tow job rerun ID",
    "not_started": "see whether the worker is as it should be: tow worker check WORKER; then tow job rerun ID",
    "vanished": "see whether the worker is as it should be: tow worker check WORKER; then tow job rerun ID",
}


#: What Python says, and what towline says, about code that is not there.
_MISSING_MODULE = re.compile(r"No module named '(\w+)")


def _after_failure(opened: "OpenProject", job: JobInfo) -> str:
    missing = _MISSING_MODULE.search(job.failure.message) if job.failure else None
    config = opened.project.workers.get(job.worker)
    if missing is not None and config is not None and not config.runs_here and config.execution_cmd is None:
        module = missing[1]
        return (
            f"the Python of the worker {job.worker} has no module {module}; if it is installed here: "
            f"tow worker deploy {job.worker} --package {module}; then tow job rerun {job.db_id}"
        )
    text = _HELP.get(job.failure.reason if job.failure else "", "to run it again: tow job rerun ID")
    return f"what it printed: tow job queue-out ID; {text}".replace("ID", job.db_id).replace("WORKER", job.worker)


def runner_seems_active(opened: "OpenProject") -> bool:
    """Whether a runner holds an unexpired lease; cheaper than a look at its process."""
    record = leases.holder(opened.database)
    return record is not None and record.expires_at > opened.database.clock()


def _ready(opened: "OpenProject", job: JobInfo) -> Iterator[str]:
    question = hold_text(opened.database, job.id) if job.worker == PERSON else None
    if question is not None:
        yield f"your decision: {question}"
        return
    yield from _ends(opened, job)
    due = job.remote.retry_time_limit
    if due is not None and due > datetime.now(UTC):
        yield f"the time of its next attempt, {due.astimezone():%Y-%m-%d %H:%M:%S}"
    yield from _worker(opened, job)


def _ends(opened: "OpenProject", job: JobInfo) -> Iterator[str]:
    for attempt, worker in job_history.attempts_to_end(opened.database, job.id):
        where = "" if worker in opened.project.workers else f"; {_lost(opened, worker)}"
        yield f"the end of its attempt {attempt}, which was asked for and is not confirmed{where}"


def _elsewhere(opened: "OpenProject", job: JobInfo) -> Iterator[str]:
    place = _told_by_worker(opened, job).get("elsewhere", {}).get(f"{job.id}.{job.attempt}")
    if place is not None:
        process, _, machine = place.partition("@")
        yield (
            f"its exit record: it was started as process {process} on {machine}, whose processes cannot be seen from "
            "here; start the runner there, or, if that machine is gone for good, give the attempt up: "
            f"tow job stop {job.db_id}, then tow admin unlock --db-id {job.db_id}"
        )


def _lost(opened: "OpenProject", worker: str) -> str:
    known = ", ".join(opened.project.workers) or "none"
    return f"a worker called {worker}, where its attempt was begun: the project has {known}"


def _handed_over(opened: "OpenProject", job: JobInfo) -> Iterator[str]:
    due = job.remote.retry_time_limit
    if due is not None and due > datetime.now(UTC):
        yield f"the next try of a step that failed, {due.astimezone():%Y-%m-%d %H:%M:%S}"
        yield from _worker_trouble(opened, job)
        return
    yield from _worker_trouble(opened, job)
    config = opened.project.workers[job.worker]
    status = _told_by_worker(opened, job)
    reason = status.get("reasons", {}).get(f"{job.id}.{job.attempt}")
    if reason and status.get("environment_differs"):
        yield f"packages that fit: {reason}"
        return
    why = f" ({reason})" if reason else ""
    if job.state is JobState.BATCH_SUBMITTED:
        told = opened.database.read(
            "SELECT count(*), sum(CASE WHEN state = 'RUNNING' THEN 1 ELSE 0 END) FROM batch "
            "WHERE worker = ? AND state <> 'FINISHED'",
            (job.worker,),
        )
        there, running = (int(number or 0) for number in told[0])
        yield f"its turn in an allocation of the worker {job.worker}: {there} submitted, {running} of them running{why}"
    elif job.state is JobState.SUBMITTED and config.scheduler_type != "shell":
        yield f"its turn in the queue of {config.scheduler_type} on the worker {job.worker}{why}"
    else:
        yield f"a free slot on the worker {job.worker}{why}"


def _worker(opened: "OpenProject", job: JobInfo) -> Iterator[str]:
    config = opened.project.workers.get(job.worker)
    if config is None:
        yield f"a worker called {job.worker}: the project has {', '.join(opened.project.workers) or 'none'}"
        return
    if config.job_limit == 0:
        yield f"the worker {job.worker} to take jobs again: its max_jobs is 0"
        return
    yield from _worker_trouble(opened, job)
    taken = jobs_on(opened, [job.worker])
    if taken >= config.job_limit:
        yield f"a free slot on the worker {job.worker}: {taken} jobs are there, {config.job_limit} may run at once"
    host = host_of(config)
    limit = opened.project.max_jobs_per_host.get(host)
    if limit is not None and (there := jobs_on(opened, workers_on(opened.project, host))) >= limit:
        yield (
            f"a free place on the host {host}: {there} of {limit} taken, by jobs of its workers "
            f"{', '.join(workers_on(opened.project, host))}; max_jobs_per_host is {limit}"
        )


def jobs_on(opened: "OpenProject", workers: Sequence[str]) -> int:
    """How many jobs are with these workers together."""
    states = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT))
    marks = ", ".join("?" * len(workers))
    rows = opened.database.read(
        f"SELECT sum(jobs) FROM worker_count WHERE worker IN ({marks}) AND state IN ({states})", tuple(workers)
    )
    return int(rows[0][0] or 0)


def _worker_trouble(opened: "OpenProject", job: JobInfo) -> Iterator[str]:
    if not runner_seems_active(opened):
        yield "a runner: none is active"
        return
    status = _told_by_worker(opened, job)
    # Jobs that need another environment say it themselves; the others run.
    if status.get("problem") and not status.get("environment_differs"):
        yield f"the worker {job.worker}, which does not answer: {status['problem']}"


def _told_by_worker(opened: "OpenProject", job: JobInfo) -> Mapping[str, Any]:
    """What the worker of a job told with the last sign of life of the runner."""
    record = leases.holder(opened.database)
    if record is None or record.status is None:
        return {}
    told: Mapping[str, Any] = orjson.loads(record.status).get(job.worker, {})
    return told
