"""What a user can ask about jobs, and have done to them; one function for each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from towline.core.actions import Action, Refusal, decide
from towline.core.run_folder import checked_work_dir
from towline.core.states import IN_FLIGHT, JobState
from towline.errors import NoSuchJob
from towline.operations.job_folders import printed_files
from towline.operations.job_lists import count_jobs, count_jobs_by_state, get_job, list_jobs, rows_of
from towline.operations.job_outputs import delete_outputs, identities_of
from towline.operations.job_waits import advice, runner_seems_active, waits_for
from towline.operations.run_folders import delete_files, delete_run_folders
from towline.store import actions, deletions, job_history
from towline.store.actions import RunProperties
from towline.store.affected import ActionResult
from towline.store.database import Transaction
from towline.store.environments import environment_document
from towline.store.job_info import JobInfo
from towline.store.job_search import JobFilter, Page, Sort
from towline.store.reruns import rerun
from towline.store.retired_jobs import RetiredJob, made_earlier

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

__all__ = [
    "Act",
    "Changed",
    "JobFilter",
    "JobInfo",
    "JobReport",
    "Page",
    "Progress",
    "RunProperties",
    "Sort",
    "change_properties",
    "count_jobs",
    "count_jobs_by_state",
    "delete_job_files",
    "delete_jobs",
    "get_job",
    "job_info",
    "job_of_process",
    "list_jobs",
    "pause_jobs",
    "rerun_jobs",
    "resume_jobs",
    "retry_jobs",
    "rows_of",
    "runner_seems_active",
    "set_job_states",
    "set_priority",
    "set_run_properties",
    "stop_jobs",
]

#: Lines of the journal that `job info` shows.
_LAST_EVENTS = 8

#: Told how many of how many jobs, or run folders, are done.
Progress = Callable[[int, int], None]

#: Jobs that one round of statements is about: enough to be few, and few enough to see something move.
_AT_ONCE = 2_500


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of a request about jobs; ids are db_ids."""

    changed: tuple[str, ...] = ()
    #: Why each of the others was not changed.
    refused: Mapping[str, str] = field(default_factory=dict)
    #: Jobs that run again, or left, because one of `changed` runs again.
    also_changed: tuple[str, ...] = ()
    #: Run folders that were deleted.
    deleted_folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobReport:
    """Everything about one job."""

    job: JobInfo
    #: What a WAITING job waits for.
    blocking: tuple[job_history.BlockingParent, ...]
    #: The end of its journal.
    events: tuple[job_history.Event, ...]
    earlier_attempts: tuple[job_history.EarlierAttempt, ...]
    #: Attempts whose end was asked for and is not confirmed.
    ending: tuple[int, ...]
    #: Standard output and standard error, when the job has a run folder.
    logs: tuple[str, ...]
    #: What keeps it from running, beside its parents: a slot, a worker, a time, a person.
    waits: tuple[str, ...]
    #: Jobs that its earlier attempts made, which left the queue.
    made_earlier: tuple[RetiredJob, ...]
    #: What to type next.
    advice: str | None
    #: Everything that was installed where it ran: python, executable, packages, …; None when that is not known.
    environment: Mapping[str, Any] | None = None


def job_of_process(opened: "OpenProject", process_id: str) -> int:
    """Row of the newest job with this process or scheduler id.

    Raises
    ------
    NoSuchJob
        There is none.
    """
    # No index has process ids; those in flight are few, and asked for first.
    states = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT))
    for condition in (f"state IN ({states})", "1 = 1"):
        rows = opened.database.read(
            f"SELECT id FROM job WHERE process_id = ? AND {condition} ORDER BY id DESC LIMIT 1", (process_id,)
        )
        if rows:
            return int(rows[0][0])
    raise NoSuchJob(f"no job has the process id {process_id!r}; `tow job list -v` shows the ids in the column queue_id")


def job_info(opened: "OpenProject", row: int) -> JobReport:
    """Everything about one job."""
    database, job = opened.database, get_job(opened, row)
    blocking = tuple(job_history.blocking_parents(database, row)) if job.state is JobState.WAITING else ()
    return JobReport(
        job=job,
        blocking=blocking,
        events=tuple(job_history.events_of(database, row, _LAST_EVENTS)),
        earlier_attempts=tuple(job_history.earlier_attempts(database, row)),
        ending=tuple(attempt for attempt, _ in job_history.attempts_to_end(database, row)),
        logs=tuple(str(Path(job.run_dir) / name) for name in printed_files(opened, job)) if job.run_dir else (),
        waits=waits_for(opened, job),
        made_earlier=tuple(made_earlier(database, row)),
        advice=advice(opened, job),
        environment=environment_document(database, job.environment),
    )


def rerun_jobs(
    opened: "OpenProject",
    rows: Iterable[int],
    *,
    force: bool = False,
    raise_on_error: bool = False,
    progress: Progress | None = None,
) -> Changed:
    """Run jobs again, each as a new attempt; the folders of earlier ones stay."""
    # All at once: which jobs go back with which depends on all of them.
    act = Act(opened, raise_on_error, progress, at_once=None)
    return act.on(rows, lambda transaction, part: rerun(transaction, part, force=force))


def retry_jobs(
    opened: "OpenProject", rows: Iterable[int], *, raise_on_error: bool = False, progress: Progress | None = None
) -> Changed:
    """Repeat the action of the runner that failed."""
    return Act(opened, raise_on_error, progress).on(rows, actions.retry)


def pause_jobs(
    opened: "OpenProject", rows: Iterable[int], *, raise_on_error: bool = False, progress: Progress | None = None
) -> Changed:
    """Hold jobs before their start."""
    return Act(opened, raise_on_error, progress).on(rows, actions.pause)


def resume_jobs(
    opened: "OpenProject", rows: Iterable[int], *, raise_on_error: bool = False, progress: Progress | None = None
) -> Changed:
    """Undo pause and stop."""
    return Act(opened, raise_on_error, progress).on(rows, actions.resume)


def stop_jobs(
    opened: "OpenProject", rows: Iterable[int], *, raise_on_error: bool = False, progress: Progress | None = None
) -> Changed:
    """End jobs, wherever they are."""
    return Act(opened, raise_on_error, progress).on(rows, actions.stop)


def set_job_states(
    opened: "OpenProject", rows: Iterable[int], state: JobState, *, progress: Progress | None = None
) -> Changed:
    """Force jobs into a state, unchecked; flows and children follow."""
    act = Act(opened, raise_on_error=False, progress=progress)
    return act.on(rows, lambda transaction, part: actions.set_state(transaction, part, state))


def set_priority(
    opened: "OpenProject",
    rows: Iterable[int],
    priority: int,
    *,
    raise_on_error: bool = False,
    progress: Progress | None = None,
) -> Changed:
    """Change the priority."""
    act = Act(opened, raise_on_error, progress)
    return act.on(rows, lambda transaction, part: actions.set_priority(transaction, part, priority))


def set_run_properties(
    opened: "OpenProject",
    rows: Iterable[int],
    properties: RunProperties,
    *,
    replace: bool = False,
    raise_on_error: bool = False,
    progress: Progress | None = None,
) -> Changed:
    """Change worker, execution configuration, resources or work_dir.

    Raises
    ------
    ConfigurationError
        The project has no such worker or exec_config.
    """
    return change_properties(
        opened, rows, properties, None, replace=replace, raise_on_error=raise_on_error, progress=progress
    )


def change_properties(
    opened: "OpenProject",
    rows: Iterable[int],
    properties: RunProperties,
    priority: int | None,
    *,
    replace: bool,
    raise_on_error: bool,
    progress: Progress | None = None,
) -> Changed:
    """Change priority, worker, execution configuration and resources together; each has its own rule about states.

    Raises
    ------
    ConfigurationError
        The project has no such worker or exec_config.
    """
    _check(opened, properties)

    def act(transaction: Transaction, part: Sequence[int]) -> ActionResult:
        results = []
        if priority is not None:
            results.append(actions.set_priority(transaction, part, priority))
        if properties != RunProperties() or not results:
            results.append(actions.set_run_properties(transaction, part, properties, replace=replace))
        refused = {row: error for result in results for row, error in (result.refused or {}).items()}
        return ActionResult(tuple(sorted({row for result in results for row in result.changed})), refused)

    return Act(opened, raise_on_error, progress).on(rows, act)


def delete_jobs(
    opened: "OpenProject",
    rows: Iterable[int],
    *,
    outputs: bool = False,
    files: bool = False,
    raise_on_error: bool = False,
    progress: Progress | None = None,
) -> Changed:
    """Take jobs out of the queue; those in flight are ended by the runner.

    Parameters
    ----------
    outputs
        Delete their outputs from the job store too.
    files
        Delete their run folders too.
    """
    listed = list(rows)
    folders: list[deletions.RunFolder] = []
    identities = identities_of(opened, listed) if outputs else {}

    def act(transaction: Transaction, part: Sequence[int]) -> ActionResult:
        if files:
            folders.extend(deletions.run_folders(transaction, part))
        return deletions.delete_jobs(transaction, part, delete_files=files)

    # All at once: whether a flow would be left empty depends on all of them.
    changed = Act(opened, raise_on_error, progress, at_once=None).on(listed, act)
    gone = {int(db_id.removeprefix(opened.db_id_prefix)) for db_id in changed.changed}
    deleted = delete_run_folders(opened, [folder for folder in folders if folder.job_id in gone], progress)
    delete_outputs(opened, {row: identity for row, identity in identities.items() if row in gone})
    return Changed(changed.changed, changed.refused, changed.also_changed, tuple(deleted))


def delete_job_files(opened: "OpenProject", row: int, *, force: bool = False) -> list[str]:
    """Delete the run folders of all attempts of a job that are over; return them.

    Parameters
    ----------
    force
        Also before the job has ended.

    Raises
    ------
    IllegalMove
        The job is in a state in which its files are needed.
    """
    decision = decide(Action.DELETE_FILES, get_job(opened, row).state, force=force)
    if isinstance(decision, Refusal):
        raise decision.error(f"{opened.db_id_prefix}{row}")
    return delete_files(opened, [row])


@dataclass(frozen=True, slots=True)
class Act:
    """Carries out an action in a transaction of its own, and wakes the runner."""

    opened: "OpenProject"
    raise_on_error: bool
    progress: Progress | None
    #: How many jobs one round of statements is about; None is all of them.
    at_once: int | None = _AT_ONCE

    def on(self, rows: Iterable[int], action: Callable[[Transaction, Sequence[int]], ActionResult]) -> Changed:
        """Do `action` to the jobs in `rows`, and tell what came of it."""
        listed = list(rows)
        size = self.at_once or len(listed) or 1
        results = []
        with self.opened.database.transaction() as transaction:
            for start in range(0, len(listed) or 1, size):
                self._tell(start, len(listed))
                result = action(transaction, listed[start : start + size])
                if self.raise_on_error and result.refused:
                    # Leaving the block undoes what was done to the others.
                    raise next(iter(result.refused.values()))
                results.append(result)
        self._tell(len(listed), len(listed))
        if any(result.changed for result in results):
            self.opened.wake_runner()
        return self._changed(results)

    def _tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)

    def _changed(self, results: Sequence[ActionResult]) -> Changed:
        refused = {row: error for result in results for row, error in (result.refused or {}).items()}
        return Changed(
            changed=_db_ids(self.opened, [row for result in results for row in result.changed]),
            refused={f"{self.opened.db_id_prefix}{row}": str(error) for row, error in refused.items()},
            also_changed=_db_ids(self.opened, [row for result in results for row in result.also_changed]),
        )


def _check(opened: "OpenProject", properties: RunProperties) -> None:
    if properties.worker is not None:
        opened.project.worker(properties.worker)
    if properties.work_dir is not None:
        checked_work_dir(properties.work_dir)
    if isinstance(properties.exec_config, str):
        opened.project.execution_config(properties.exec_config)


def _db_ids(opened: "OpenProject", rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{opened.db_id_prefix}{row}" for row in rows)
