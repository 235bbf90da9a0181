"""Simulations as a user asks for them: submitted as flows of the queue, waited for, looked at.

Every door (command line, Python, later web and MCP) calls these functions.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from towline.configuration.choice import load_project
from towline.configuration.model import Project
from towline.core.states import JobState
from towline.errors import InvalidRequest
from towline.operations.borrowed_runner import active_runner
from towline.operations.compose import open_project
from towline.operations.jobs import JobFilter, get_job, list_jobs
from towline.operations.simulation_clusters import (
    WORKER,
    cluster_launch,
    cluster_ranks,
    cluster_resources,
    cluster_setup,
    ensure_worker,
)
from towline.operations.simulation_planning import Planned, plan, refuse_errors
from towline.operations.simulation_records import Outcome, outcome, refuse_full_disk, runs_folder
from towline.operations.simulation_runs import Request, prepare
from towline.operations.submission import submit
from towline.operations.waiting import Waited, wait_flow
from towline.simulations.config_env import ConfigEnv, load
from towline.simulations.moose.launching import Launch, local_launch
from towline.simulations.run_directory import (
    RECORD,
    append_event,
    read_json,
    update_record,
)

if TYPE_CHECKING:
    from towline.operations.simulation_jobs import Place

Progress = Callable[[Mapping[JobState, int]], None]


class InQueue(Protocol):
    """Something that was put into the queue."""

    @property
    def job_ids(self) -> Sequence[str]:
        """Its jobs."""

    @property
    def project(self) -> str:
        """Of the queue."""


@dataclass(frozen=True)
class Submitted:
    """A simulation that is in the queue."""

    run_id: str
    folder: Path
    job_ids: tuple[str, ...]
    planned: Planned
    launch: Launch
    project: str


def simulate(
    physics: str,
    params: Mapping[str, Any] | None = None,
    *,
    preset: str | None = None,
    backend_name: str = "",
    config: ConfigEnv | None = None,
    project: str | None = None,
    force: bool = False,
    attempts: int = 3,
    timeout_seconds: float | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run a simulation through the queue and wait for its verdict. Starts a runner for that time if none is active.

    Parameters
    ----------
    physics
        ``grain_growth``, ``spinodal``, or one that a package adds.
    params
        Names or aliases of parameters with their values.
    preset
        Values to begin with.
    backend_name
        A label that is kept with the results.
    config
        Where to run; from ``config.env`` and the environment when None.
    project
        Of the queue; the chosen or only one when None.
    force
        Run although the preflight found errors.
    attempts
        How often a failed run is made, each time with a correction of numerical parameters, at most.
    timeout_seconds
        How long to wait; None is for ever.

    Raises
    ------
    InvalidRequest
        The parameters are wrong, or the case cannot give a result.
    ConfigurationError
        The configuration is wrong, or the executable is missing.
    WaitTimedOut
        Time is up. The simulation goes on.
    """
    submitted = submit_simulation(
        plan(physics, params, preset=preset),
        config=config,
        project=project,
        backend_name=backend_name,
        force=force,
        attempts=attempts,
    )
    with active_runner(submitted.project):
        wait_flow(list(submitted.job_ids), timeout_seconds, submitted.project, progress)
    settle(submitted.folder, submitted.project)
    return outcome(submitted.folder)


def configuration(
    path: Path | None = None, profile: str | None = None, given: Mapping[str, str] | None = None
) -> ConfigEnv:
    """``config.env``, the environment and what was given, checked.

    Raises
    ------
    ConfigurationError
        A file is missing, a value is impossible, or keys of the backend are missing.
    """
    config = load(path, profile, os.environ, given)
    config.check()
    return config


def submit_simulation(
    planned: Planned,
    *,
    config: ConfigEnv | None = None,
    project: str | None = None,
    backend_name: str = "",
    force: bool = False,
    sentence: Mapping[str, Any] | None = None,
    attempts: int = 3,
) -> Submitted:
    """Make the run directory of a case and put its flow into the queue. Starts nothing: the runner does.

    Raises
    ------
    InvalidRequest
        The preflight found errors and nobody insists, or the run directory cannot be made.
    ConfigurationError
        The executable is missing, or there is no such project or worker.
    """
    refuse_errors(planned, force=force)
    config = configuration() if config is None else config
    refuse_full_disk([planned], config, force=force)
    # jobflow takes most of a second to load, which showing a plan does not need.
    from towline.operations.simulation_jobs import simulation_flow

    with open_project(project_for(config, project)) as opened:
        place, launch = place_of(planned, config, opened.project)
        request = Request(
            backend_name=backend_name,
            backend=config.backend,
            worker=place.worker,
            project=opened.project.name,
            sentence=sentence,
            attempts=attempts,
        )
        run = prepare(planned, launch, runs_folder(config), request, elsewhere=place.elsewhere)
        ids = submit(opened, simulation_flow(planned, run.folder, launch, place), worker=place.local_worker)
        update_record(run.folder, {"job_ids": ids})
        append_event(run.folder, "submitted", jobs=ids)
        return Submitted(run.run_id, run.folder, tuple(ids), planned, launch, opened.project.name)


def place_of(planned: Planned, config: ConfigEnv, project: Project) -> "tuple[Place, Launch]":
    """Where the jobs of a case run, and what runs its input there.

    Raises
    ------
    ConfigurationError
        The executable is missing, or the project has no fitting worker.
    """
    from towline.operations.simulation_jobs import Place  # see submit_simulation

    local = local_worker_of(project)
    if config.backend == "hpc":
        tasks = cluster_ranks(config, planned.case)
        place = Place(
            project.name,
            local,
            WORKER,
            elsewhere=True,
            resources=cluster_resources(config, tasks),
            exec_config=cluster_setup(config),
        )
        return place, cluster_launch(config, tasks)
    ranks = int(planned.case.number("mpi")) if "mpi" in planned.case.values else 1
    launch = local_launch(config, planned.application.executable_key, ranks)
    resources = {"time_limit": config.number("ORCH_TIMEOUT_S")} if config.get("ORCH_TIMEOUT_S") else {}
    return Place(project.name, local, local, resources=resources), launch


def project_for(config: ConfigEnv, name: str | None) -> str | None:
    """Name of the project whose queue takes the jobs; with ``EXECUTION_BACKEND=hpc`` it has the worker after this.

    Raises
    ------
    ConfigurationError
        There is no such project, or its file cannot be changed.
    """
    if config.backend != "hpc":
        return name
    # An active runner reads its workers anew when the file changes.
    return ensure_worker(config, load_project(name)).name


def local_worker_of(project: Project) -> str:
    """The first worker of this machine.

    Raises
    ------
    InvalidRequest
        The project has none.
    """
    for name, worker in project.workers.items():
        if worker.runs_here:
            return str(name)
    raise InvalidRequest(
        f"the project {project.name} has no worker of type local, on which simulations are judged and drawn; "
        f"add one under `workers` in {project.source}"
    )


def settle(folder: Path, project: str) -> None:
    """Note in the record of a simulation that nobody judged why that is: its jobs were stopped, or one of them failed.

    What still moves is left alone.
    """
    last = outcome(folder).folder
    if read_json(last / RECORD).get("status") != "pending":
        return
    with open_project(project) as opened:
        jobs = list_jobs(opened, JobFilter(metadata={"simulation": last.name}))
        stopped = [one for one in jobs if one.state in (JobState.USER_STOPPED, JobState.STOPPED)]
        failed = [get_job(opened, one.id) for one in jobs if one.state in (JobState.FAILED, JobState.REMOTE_ERROR)]
    if stopped:
        update_record(last, {"status": "stopped", "problem": f"job {stopped[0].db_id} was stopped"})
    elif failed:
        told = failed[0].failure.message if failed[0].failure is not None else failed[0].state.value
        problem = f"job {failed[0].db_id} ({failed[0].name}): {told}"
        update_record(last, {"status": "failed", "problem": problem})


def wait_for(submitted: InQueue, timeout_seconds: float | None = None, progress: Progress | None = None) -> Waited:
    """Wait until nothing moves any more in the flow of a simulation.

    Raises
    ------
    WaitTimedOut
        Time is up. The flow goes on.
    """
    return wait_flow(list(submitted.job_ids), timeout_seconds, submitted.project, progress)
