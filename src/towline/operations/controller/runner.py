"""A runner inside the process of a script or a notebook; methods are named as in jobflow-remote."""

import time
from collections.abc import Callable

from towline.configuration.choice import load_project
from towline.configuration.model import RunnerOptions
from towline.core.states import FINAL, JobState
from towline.errors import InvalidRequest, NoSuchJob, WaitTimedOut
from towline.operations.batches import BatchState, batch_filter, count_batches
from towline.operations.compose import OpenProject, open_given
from towline.operations.runner_process import running


class Runner:
    """The runner of a project inside this process, for scripts and notebooks.

    Parameters
    ----------
    project_name
        The chosen or only project by default.
    log_level, runner_id, connect_interactive, daemon_id
        Accepted as jobflow-remote does; logging is configured by the script, and the others have no meaning here.
    """

    def __init__(
        self,
        project_name: str | None = None,
        log_level: str | None = None,
        runner_id: str | None = None,
        connect_interactive: bool = False,
        daemon_id: str | None = None,
    ) -> None:
        self.project = load_project(project_name)

    def run(
        self,
        transfer: bool = True,
        complete: bool = True,
        queue: bool = True,
        checkout: bool = True,
        ticks: int | None = None,
    ) -> None:
        """Work until interrupted, or for `ticks` rounds.

        Raises
        ------
        InvalidRequest
            A part is left out: one process does them all, and none of them waits for another.
        """
        parts = {"transfer": transfer, "complete": complete, "queue": queue, "checkout": checkout}
        missing = [name for name, wanted in parts.items() if not wanted]
        if missing:
            raise InvalidRequest(
                f"the runner cannot leave out {', '.join(missing)}: one process does it all. Call run() without it; "
                "to let no new job start, set max_jobs: 0 on the worker"
            )
        rounds = 0

        def enough() -> bool:
            nonlocal rounds
            rounds += 1
            return ticks is not None and rounds >= ticks

        with running(self.project) as loop:
            loop.run(enough)

    @property
    def runner_options(self) -> RunnerOptions:
        """What the project file says about runners."""
        return self.project.runner

    def run_all_jobs(self, max_seconds: float | None = None, wait_for_batches: bool = False) -> None:
        """Work until nothing can run any more.

        Parameters
        ----------
        wait_for_batches
            Wait also until the allocations of batch workers have ended.

        Raises
        ------
        WaitTimedOut
            `max_seconds` are over before that.
        """
        with running(self.project) as loop:
            if not wait_for_batches:
                loop.run(_limited(lambda: loop.idle, max_seconds))
                return
            with open_given(self.project) as opened:
                active = batch_filter(opened, states=[BatchState.SUBMITTED, BatchState.RUNNING])
                loop.run(_limited(lambda: loop.idle and not count_batches(opened, active), max_seconds))

    def run_one_job(
        self,
        db_id: str | None = None,
        job_id: tuple[str, int] | None = None,
        max_seconds: float | None = None,
        raise_at_timeout: bool = True,
        target_state: JobState | None = None,
    ) -> bool:
        """Work on one job only: the given one, or the READY one that is next.

        Parameters
        ----------
        target_state
            Return as soon as the job is in this state; by default when it has ended.

        Returns
        -------
        Whether the job got there; False also when no job is READY.

        Raises
        ------
        NoSuchJob
            There is no such job.
        WaitTimedOut
            `max_seconds` are over before that, and `raise_at_timeout`.
        """
        with open_given(self.project) as opened:
            chosen = _choose(opened, db_id, job_id)
            if chosen is None:
                return False

            def state() -> JobState:
                return JobState(opened.database.read("SELECT state FROM job WHERE id = ?", (chosen,))[0][0])

            def finished() -> bool:
                if target_state is not None:
                    return state() is target_state
                return state() in FINAL or state() is JobState.REMOTE_ERROR

            if finished():
                return True
            try:
                with running(self.project, only_job_id=chosen) as loop:
                    loop.run(_limited(lambda: finished() or (loop.idle and state() is not JobState.READY), max_seconds))
            except WaitTimedOut:
                if raise_at_timeout:
                    raise
            return finished()


def _choose(opened: OpenProject, db_id: str | None, job_id: tuple[str, int] | None) -> int | None:
    if db_id is not None:
        number = db_id.removeprefix(opened.db_id_prefix)
        rows = opened.database.read("SELECT id FROM job WHERE id = ?", (int(number) if number.isdigit() else -1,))
    elif job_id is not None:
        rows = opened.database.read("SELECT id FROM job WHERE uuid = ? AND job_index = ?", job_id)
    else:
        rows = opened.database.read("SELECT id FROM job WHERE state = 'READY' ORDER BY priority DESC, id LIMIT 1")
        return int(rows[0][0]) if rows else None
    if not rows:
        raise NoSuchJob(f"no job has the id {db_id or job_id}; `tow job list` shows what there is")
    return int(rows[0][0])


def _limited(condition: Callable[[], bool], max_seconds: float | None) -> Callable[[], bool]:
    deadline = None if max_seconds is None else time.monotonic() + max_seconds

    def enough() -> bool:
        if condition():
            return True
        if deadline is not None and time.monotonic() > deadline:
            raise WaitTimedOut(f"the jobs have not ended after {max_seconds:g} s; they go on at the next run")
        return False

    return enough
