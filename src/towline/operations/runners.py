"""Starting, stopping and looking at the runner of a project."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

from towline.configuration.choice import load_project
from towline.configuration.model import Project
from towline.core.states import IN_FLIGHT, JobState
from towline.errors import RunnerAlreadyActive, RunnerError, RunnerNotActive, WaitTimedOut
from towline.operations.compose import OpenProject, open_given
from towline.operations.jobs import JobFilter, list_jobs
from towline.operations.processes import is_running_program, measured, runs
from towline.operations.runner_process import logging_to, running
from towline.operations.runner_process import main as run_process
from towline.operations.supervision import end_supervisor, log_level_of, start_log, start_supervisor, supervisor_pid
from towline.operations.workers import worker_state_dir
from towline.store import leases
from towline.store.attention import ends_by_worker

_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_NAP_SECONDS = 0.02
#: Workers that have told nothing new for so long have told everything.
_QUIET_SECONDS = 2.0


class RunnerState(str, Enum):
    """What can be said about the runner of a project; names are those of jobflow-remote's daemon."""

    SHUT_DOWN = "SHUT_DOWN"  #: none
    STARTING = "STARTING"  #: not there yet, or not any more: its supervisor starts it (again); its log says why
    RUNNING = "RUNNING"  #: it holds the lease and was heard of
    STOPPING = "STOPPING"  #: it was asked to stop
    LOST = "LOST"  #: its lease has expired, or its process ended without a word; the next one takes over


@dataclass(frozen=True, slots=True)
class RunnerStatus:
    """The runner of a project."""

    project: str
    state: RunnerState
    runner_id: int | None = None
    host: str | None = None
    user_name: str | None = None
    pid: int | None = None
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    lease_expires_at: datetime | None = None
    #: Its process on this machine lives and has not renewed the lease in time: it hangs, or was suspended.
    is_silent: bool = False
    log_file: Path | None = None
    #: Facts about each worker, as the runner told them with its last sign of life.
    workers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether a runner moves the jobs of this project."""
        return self.state in (RunnerState.RUNNING, RunnerState.STOPPING)


def status(project_name: str | None = None) -> RunnerStatus:
    """The runner of a project."""
    with open_given(load_project(project_name)) as opened:
        return status_of(opened)


def status_of(opened: OpenProject) -> RunnerStatus:
    """The runner of an open project."""
    project, record = opened.project, leases.holder(opened.database)
    supervised = supervisor_pid(project) is not None
    if record is None:
        state = RunnerState.STARTING if supervised else RunnerState.SHUT_DOWN
        return RunnerStatus(project.name, state, log_file=_log_file(project))
    here, expired = record.host == os.uname().nodename, record.expires_at < opened.database.clock()
    gone = not runs(record.pid, record.process_started_at) if here else expired
    state = RunnerState.LOST if gone else RunnerState.STOPPING if record.request else RunnerState.RUNNING
    return RunnerStatus(
        project=project.name,
        state=state,
        runner_id=record.id,
        host=record.host,
        user_name=record.user_name,
        pid=record.pid,
        started_at=datetime.fromtimestamp(record.started_at, UTC),
        heartbeat_at=datetime.fromtimestamp(record.heartbeat_at, UTC),
        lease_expires_at=datetime.fromtimestamp(record.expires_at, UTC),
        is_silent=expired and not gone,
        log_file=_log_file(project),
        workers={} if record.status is None else orjson.loads(record.status),
    )


@dataclass(frozen=True)
class ProcessInfo:
    """A process of a project on this machine."""

    #: supervisor, runner, or what a worker keeps running: "keeper of NAME", "pilot of NAME".
    role: str
    pid: int
    started_at: datetime
    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """What came of a restart."""

    status: RunnerStatus
    #: Whether there was a runner before.
    was_active: bool


@dataclass(frozen=True, slots=True)
class Updated:
    """What the workers told about the jobs in flight."""

    #: How many jobs were in flight.
    asked_about: int
    #: In which states these jobs are now; those that are gone are missing.
    states: Mapping[JobState, int]


def start(project_name: str | None = None, log_level: str | None = None) -> RunnerStatus:
    """Start the runner of a project in the background, and wait until it has the lease.

    Raises
    ------
    RunnerAlreadyActive
        There is one.
    RunnerError
        It ended at once; the message has the end of its log.
    """
    project = load_project(project_name)
    with open_given(project) as opened:
        present = status_of(opened)
        if present.active:
            advice = "does not answer; `tow runner kill` ends it" if present.is_silent else "`tow runner stop` stops it"
            raise RunnerAlreadyActive(
                f"runner {present.runner_id} (pid {present.pid} on {present.host}) runs the project {project.name} "
                f"already; {advice}"
            )
        end_supervisor(project)
        start_supervisor(project, log_level)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            found = status_of(opened)
            if found.state is RunnerState.RUNNING and found.runner_id != present.runner_id:
                return found
            if supervisor_pid(project) is None:
                break
            time.sleep(_NAP_SECONDS)
    raise RunnerError(
        f"the runner of {project.name} did not start; the end of {start_log(project)}:\n{_tail(start_log(project))}"
    )


def stop(project_name: str | None = None, wait_seconds: float | None = _STOP_SECONDS) -> RunnerStatus:
    """Ask the runner to stop, on whatever machine it is, and wait for it. Jobs go on running.

    Parameters
    ----------
    wait_seconds
        How long to wait; 0 does not wait, None waits for ever.

    Raises
    ------
    RunnerNotActive
        There is none.
    WaitTimedOut
        It has not stopped in time.
    """
    with open_given(load_project(project_name)) as opened:
        present = status_of(opened)
        if not present.active:
            end_supervisor(opened.project)
            raise RunnerNotActive(f"no runner is active for the project {opened.project.name}")
        with opened.database.transaction() as transaction:
            leases.request(transaction, leases.STOP)
        opened.wake_runner()
        if wait_seconds == 0:
            return status_of(opened)
        deadline = None if wait_seconds is None else time.monotonic() + wait_seconds
        while _is_there(opened, present):
            if deadline is not None and time.monotonic() > deadline:
                raise WaitTimedOut(
                    f"runner {present.runner_id} (pid {present.pid} on {present.host}) has not stopped after "
                    f"{wait_seconds:g} s; `tow runner kill` ends it, and nothing is lost"
                )
            time.sleep(_NAP_SECONDS)
        return status_of(opened)


def _is_there(opened: OpenProject, runner: RunnerStatus) -> bool:
    """Whether a runner that was asked to stop, or the supervisor that takes note of its end, still runs."""
    found = status_of(opened)
    return (found.active and found.runner_id == runner.runner_id) or found.state is RunnerState.STARTING


def kill(project_name: str | None = None, wait_seconds: float | None = _STOP_SECONDS) -> RunnerStatus:
    """End the runner at once. Jobs go on running, and the next runner takes over.

    On this machine it gets SIGKILL. On another one it finds a request in the database.

    Parameters
    ----------
    wait_seconds
        How long to wait until it is gone; 0 does not wait, None waits for ever.

    Raises
    ------
    RunnerNotActive
        There is none.
    WaitTimedOut
        It is on another machine, and has not ended in time.
    """
    with open_given(load_project(project_name)) as opened:
        present = status_of(opened)
        supervisor_ended = end_supervisor(opened.project, signal.SIGKILL)
        if not present.active or present.pid is None:
            if supervisor_ended:
                return status_of(opened)
            raise RunnerNotActive(f"no runner is active for the project {opened.project.name}")
        if present.host == os.uname().nodename:
            os.kill(present.pid, signal.SIGKILL)
        else:
            with opened.database.transaction() as transaction:
                leases.request(transaction, leases.KILL)
            opened.wake_runner()
        _wait_for_end(opened, present, wait_seconds)
        return status_of(opened)


def _wait_for_end(opened: OpenProject, runner: RunnerStatus, wait_seconds: float | None) -> None:
    deadline = None if wait_seconds is None else time.monotonic() + wait_seconds
    while (found := status_of(opened)).active and found.runner_id == runner.runner_id and wait_seconds != 0:
        if deadline is not None and time.monotonic() > deadline:
            raise WaitTimedOut(
                f"runner {runner.runner_id} (pid {runner.pid} on {runner.host}) does not answer after {wait_seconds:g} "
                "s; `tow runner reset` takes the project from it, and nothing is lost"
            )
        time.sleep(_NAP_SECONDS)


def restart(
    project_name: str | None = None, wait_seconds: float | None = _STOP_SECONDS, log_level: str | None = None
) -> Restarted:
    """Stop the runner, if there is one, and start it again with the same options.

    Parameters
    ----------
    log_level
        How much it logs; as before when None.

    Raises
    ------
    WaitTimedOut, RunnerError
        As :func:`stop` and :func:`start`.
    """
    level = log_level or log_level_of(load_project(project_name))
    try:
        stop(project_name, wait_seconds)
        was_active = True
    except RunnerNotActive:
        was_active = False
    return Restarted(start(project_name, level), was_active)


def forget_runner(opened: OpenProject) -> bool:
    """Take the lease from whoever holds it; a runner that lives notices, and ends. False when there was none."""
    with opened.database.transaction() as transaction:
        found = leases.holder(opened.database)
        if found is not None:
            leases.release(transaction, found.id)
    opened.wake_runner()
    return found is not None


def update_states(project_name: str | None = None, log_level: str | None = None) -> Updated:
    """Ask the workers once what became of the jobs in flight, as the runner, without starting any job.

    Raises
    ------
    RunnerAlreadyActive
        A runner does that all the time.
    """
    project = load_project(project_name)
    with open_given(project) as opened:
        flying = {job.id for job in list_jobs(opened, JobFilter(states=tuple(IN_FLIGHT)))}

        def states() -> dict[JobState, int]:
            wanted = JobFilter(db_ids=tuple(flying) or (0,))
            counts: dict[JobState, int] = {}
            for job in list_jobs(opened, wanted):
                counts[job.state] = counts.get(job.state, 0) + 1
            return counts

        last, quiet_since = states(), time.monotonic()

        def is_quiet() -> bool:
            nonlocal last, quiet_since
            newest = states()
            if newest != last:
                last, quiet_since = newest, time.monotonic()
            return time.monotonic() - quiet_since > (_QUIET_SECONDS if flying else 0)

        # No job has the number 0: nothing is claimed.
        with logging_to(project, log_level), running(project, only_job_id=0) as loop:
            loop.run(is_quiet)
    return Updated(len(flying), last)


def processes_of(opened: OpenProject, status: RunnerStatus) -> list[ProcessInfo]:
    """The processes of a project on this machine: supervisor, runner, and what the workers keep running."""
    project = opened.project
    pids = {"supervisor": supervisor_pid(project)}
    if status.host == os.uname().nodename:
        pids["runner"] = status.pid
    for name in project.workers:
        pids[f"keeper of {name}"] = _keeper_of(worker_state_dir(project, name))
        # As the runner told it; a runner on another machine has its pilots there.
        pids[f"pilot of {name}"] = status.workers.get(name, {}).get("pilot_process_id") if "runner" in pids else None
    found = [(role, measured(pid)) for role, pid in pids.items() if pid is not None]
    return [
        ProcessInfo(
            role, usage.pid, datetime.fromtimestamp(usage.started_at, UTC), usage.cpu_seconds, usage.memory_bytes
        )
        for role, usage in found
        if usage is not None
    ]


def ends_awaited(opened: OpenProject) -> list[str]:
    """Attempts whose end was asked for and is not confirmed, in a sentence for each worker."""
    return [
        f"{count} on {worker}"
        + ("" if worker in opened.project.workers else ", which is not configured: put it back, or tow admin unlock")
        for worker, count in ends_by_worker(opened.database).items()
    ]


def _keeper_of(state_dir: Path) -> int | None:
    """The process that keeps the pilot of a worker running, if there is one."""
    try:
        pid = int((state_dir / "keeper.lock").read_text())
    except (OSError, ValueError):
        return None
    return pid if runs(pid) and is_running_program(pid, str(state_dir)) else None


def run_in_foreground(project_name: str | None = None, log_level: str | None = None) -> int:
    """Be the runner, in this process, until SIGTERM or Ctrl-C; return the exit code."""
    arguments = [] if project_name is None else ["--project", project_name]
    return run_process([*arguments, *([] if log_level is None else ["--log-level", log_level])])


def log_file(project_name: str | None = None) -> Path:
    """Where the runner of a project writes its log."""
    return _log_file(load_project(project_name))


def _log_file(project: Project) -> Path:
    return project.log_dir / "runner.log"


def _tail(path: Path, lines: int = 10) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return str(error)
