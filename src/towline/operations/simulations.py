"""Simulations as a user asks for them: submitted as flows of the queue, waited for, looked at.

Every door (command line, Python, later web and MCP) calls these functions.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from towline.core.states import JobState
from towline.errors import InvalidRequest, RunnerAlreadyActive
from towline.operations import runners
from towline.operations.compose import open_project
from towline.operations.simulation_planning import Planned, plan, refuse_errors
from towline.operations.simulation_reports import SWEEP
from towline.operations.simulation_runs import Request, prepare
from towline.operations.submission import submit
from towline.operations.waiting import Waited, wait_flow
from towline.simulations.config_env import ConfigEnv, load
from towline.simulations.moose.launching import Launch, local_launch
from towline.simulations.run_directory import (
    METADATA,
    RECORD,
    append_event,
    create,
    read_json,
    runs_in,
    update_record,
    write_json,
)

if TYPE_CHECKING:
    from towline.operations.simulation_jobs import Place

Progress = Callable[[Mapping[JobState, int]], None]
#: Members that a sweep has at most.
LARGEST_SWEEP = 10_000


@dataclass(frozen=True)
class Submitted:
    """A simulation that is in the queue."""

    run_id: str
    folder: Path
    job_ids: tuple[str, ...]
    planned: Planned
    launch: Launch
    project: str


@dataclass(frozen=True)
class SubmittedSweep:
    """A sweep that is in the queue."""

    folder: Path
    members: tuple[Path, ...]
    #: Members that were done before, and were left alone.
    kept: tuple[Path, ...]
    job_ids: tuple[str, ...]
    project: str
    launch: Launch


@dataclass(frozen=True)
class Outcome:
    """What came of a simulation, or of a sweep."""

    #: The run directory of the attempt that counts.
    folder: Path
    status: str
    #: CREDIBLE, FALSIFIED or INCONCLUSIVE; None when nobody could judge.
    verdict: str | None
    sentence: str
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    figures: tuple[Path, ...] = ()
    report: Path | None = None
    #: The run directories of all attempts, the first one first.
    attempts: tuple[Path, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def credible(self) -> bool:
        """Whether the verdict is CREDIBLE."""
        return self.verdict == "CREDIBLE"


def simulate(
    physics: str,
    params: Mapping[str, Any] | None = None,
    *,
    preset: str | None = None,
    backend_name: str = "",
    config: ConfigEnv | None = None,
    project: str | None = None,
    force: bool = False,
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
    )
    with active_runner(project):
        wait_flow(list(submitted.job_ids), timeout_seconds, project, progress)
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
    # jobflow takes most of a second to load, which showing a plan does not need.
    from towline.operations.simulation_jobs import simulation_flow

    with open_project(project) as opened:
        place, launch = _place(planned, config, opened.project)
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


def _place(planned: Planned, config: ConfigEnv, project: Any) -> "tuple[Place, Launch]":
    """Where the jobs run, and what runs the input there."""
    from towline.operations.simulation_jobs import Place  # see submit_simulation

    local = local_worker_of(project)
    ranks = int(planned.case.number("mpi")) if "mpi" in planned.case.values else 1
    if config.backend == "hpc":
        from towline.operations.simulation_clusters import cluster_place

        return cluster_place(config, project, local)
    launch = local_launch(config, planned.application.executable_key, ranks)
    resources = {"time_limit": config.number("ORCH_TIMEOUT_S")} if config.get("ORCH_TIMEOUT_S") else {}
    return Place(project.name, local, local, resources=resources), launch


def local_worker_of(project: Any) -> str:
    """The first worker of this machine.

    Raises
    ------
    InvalidRequest
        The project has none.
    """
    for name, worker in project.workers.items():
        if worker.type == "local":
            return str(name)
    raise InvalidRequest(
        f"the project {project.name} has no worker of type local, on which simulations are judged and drawn; "
        f"add one under `workers` in {project.source}"
    )


def runs_folder(config: ConfigEnv) -> Path:
    """Where the run directories are."""
    return Path(config.get("RUNS_DIR")).expanduser().absolute()


@contextmanager
def active_runner(project: str | None = None) -> Iterator[bool]:
    """A runner for as long as the block takes; one that was active before is used, and left alone.

    Interrupted by a key, the block leaves the runner that it started: the jobs go on.
    """
    try:
        runners.start(project)
    except RunnerAlreadyActive:
        yield False
        return
    try:
        yield True
    except KeyboardInterrupt:
        raise
    except BaseException:
        runners.stop(project)
        raise
    runners.stop(project)


def wait_for(
    submitted: Submitted | SubmittedSweep, timeout_seconds: float | None = None, progress: Progress | None = None
) -> Waited:
    """Wait until nothing moves any more in the flow of a simulation.

    Raises
    ------
    WaitTimedOut
        Time is up. The flow goes on.
    """
    return wait_flow(list(submitted.job_ids), timeout_seconds, submitted.project, progress)


def outcome(folder: Path) -> Outcome:
    """What came of a simulation, of whichever of its attempts counts.

    Raises
    ------
    InvalidRequest
        It is no run directory.
    """
    attempts = [folder]
    record = read_json(folder / RECORD)
    while record.get("next_attempt"):
        attempts.append(folder.parent / record["next_attempt"])
        record = read_json(attempts[-1] / RECORD)
    last = attempts[-1]
    verdict = record.get("verdict") or {}
    sentence = verdict.get("sentence") or f"no verdict: the run is {record.get('status', 'unknown')}"
    report = record.get("report")
    return Outcome(
        folder=last,
        status=str(record.get("status", "unknown")),
        verdict=verdict.get("verdict"),
        sentence=sentence,
        metrics=record.get("metrics") or {},
        figures=tuple(last / one["path"] for one in record.get("figures") or ()),
        report=None if report is None else last / report,
        attempts=tuple(attempts),
        record=record,
    )


def list_runs(runs_dir: Path) -> list[dict[str, Any]]:
    """The simulations below a folder, the newest first: those of sweeps too. What cannot be read is told as such."""
    folders = runs_in(runs_dir)
    for sweep in runs_dir.glob(f"*/{SWEEP}"):
        folders += runs_in(sweep.parent)
    rows = []
    for folder in sorted(folders, key=lambda path: path.name, reverse=True):
        try:
            record, metadata = read_json(folder / RECORD), read_json(folder / METADATA)
        except InvalidRequest as error:
            rows.append({"dir_name": folder.name, "folder": str(folder), "status": "unreadable", "problem": str(error)})
            continue
        rows.append({"folder": str(folder), "params": metadata.get("stated"), **record})
    return rows


def find_run(text: str, runs_dir: Path) -> Path:
    """The run directory that a text means: a path, its name, its run id, or the beginning of one of them.

    Raises
    ------
    InvalidRequest
        There is none, or there are several.
    """
    path = Path(text)
    if (path / METADATA).is_file() or (path / SWEEP).is_file():
        return path.absolute()
    wanted = text.removeprefix("run_")
    below = [*runs_dir.glob(f"*/{METADATA}"), *runs_dir.glob(f"*/*/{METADATA}"), *runs_dir.glob(f"*/{SWEEP}")]
    found = [one.parent for one in below if wanted and one.parent.name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(sorted(one.name for one in found)[:4])
        raise InvalidRequest(f"{len(found)} runs begin with {text!r}: {names} ...; give more of the name")
    raise InvalidRequest(f"there is no run {text!r} in {runs_dir}; to see what there is: tow simulation list --runs")


def sweep_cases(
    physics: str,
    params: Mapping[str, Any] | None,
    sweep: Mapping[str, Sequence[Any]],
    *,
    seeds: int | None = None,
    preset: str | None = None,
    stated: Mapping[str, Any] | None = None,
) -> list[Planned]:
    """Every combination of the values of a sweep as a case of its own, each planned by itself.

    Parameters
    ----------
    sweep
        Names of parameters with their values.
    seeds
        How many random starts each combination has.

    Raises
    ------
    InvalidRequest
        A parameter cannot be swept, or a member is wrong; which.
    """
    first = plan(physics, params, preset=preset, stated=stated)
    names = {alias: one.name for one in first.application.parameters for alias in (one.name, *one.aliases)}
    axes: dict[str, Sequence[Any]] = {}
    for name, values in sweep.items():
        own = names.get(name, name)
        if own not in first.application.sweepable:
            raise InvalidRequest(f"{name} cannot be swept; {physics} sweeps {', '.join(first.application.sweepable)}")
        if own in axes or not values:
            raise InvalidRequest(f"{name} is swept twice" if own in axes else f"{name} has no values to sweep")
        axes[own] = values
    if seeds is not None and seeds > 1:
        start = int(first.case.number("rand_seed"))
        axes["rand_seed"] = [start + index for index in range(seeds)]
    count = 1
    for values in axes.values():
        count *= len(values)
    if not axes or count > LARGEST_SWEEP:
        told = (
            "no parameter is swept; give for example --over T=450,600,750"
            if not axes
            else f"{count} members are too many"
        )
        raise InvalidRequest(told)
    members = []
    for combination in itertools.product(*axes.values()):
        chosen = dict(zip(axes, combination, strict=True))
        members.append(plan(physics, _without(params or {}, chosen, names) | chosen, preset=preset, stated=stated))
    return members


def _without(params: Mapping[str, Any], chosen: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if names.get(name, name) not in chosen}


def submit_sweep(
    members: Sequence[Planned],
    *,
    name: str = "sweep",
    asked: Mapping[str, Any] | None = None,
    config: ConfigEnv | None = None,
    project: str | None = None,
    backend_name: str = "",
    force: bool = False,
    sentence: Mapping[str, Any] | None = None,
    attempts: int = 3,
) -> SubmittedSweep:
    """Make the folder of a sweep with a run directory for each member, and put them into the queue, side by side.

    Raises
    ------
    InvalidRequest
        The preflight of a member found errors and nobody insists.
    """
    for planned in members:
        refuse_errors(planned, force=force)
    config = configuration() if config is None else config
    made = create(runs_folder(config), name, f"sweep_{members[0].case.physics}", datetime.now(UTC))
    document = {
        "sweep_id": made.run_id,
        "physics": members[0].case.physics,
        "asked": dict(asked or {}),
        "created": datetime.now(UTC).isoformat(),
        "backend_name": backend_name,
        "sentence": sentence,
        "attempts": attempts,
    }
    write_json(made.folder / SWEEP, document)
    append_event(made.folder, "created", members=len(members))
    return _submit_members(made.folder, [*members], (), config, project)


def resume_sweep(folder: Path, *, config: ConfigEnv | None = None, project: str | None = None) -> SubmittedSweep:
    """Run again those members of a sweep that are missing or failed; the others are kept.

    Raises
    ------
    InvalidRequest
        It is no sweep, or nothing is left to do.
    """
    record = read_json(folder / SWEEP)
    kept, again = [], []
    from towline.operations.simulation_runs import planned_of
    from towline.simulations import registry
    from towline.simulations.cases import read_finding

    for name in record["members"]:
        run = folder / name
        if run.is_dir():
            found = outcome(run)
            if found.status == "done":
                kept.append(found.folder)
                continue
        if not (run / METADATA).is_file():
            raise InvalidRequest(f"the run directory {run} is gone with its plan; start the sweep anew")
        case, metadata = planned_of(run)
        findings = tuple(read_finding(one) for one in metadata["findings"])
        again.append(Planned(registry.find(case.physics), case, findings, metadata["preset"]))
    if not again:
        raise InvalidRequest(
            f"every member of {folder.name} is done; to judge them anew: tow simulation check {folder}"
        )
    config = configuration() if config is None else config
    return _submit_members(folder, again, tuple(kept), config, project)


def _submit_members(
    folder: Path, members: list[Planned], kept: tuple[Path, ...], config: ConfigEnv, project: str | None
) -> SubmittedSweep:
    from towline.operations.simulation_jobs import sweep_flow  # see submit_simulation

    record = read_json(folder / SWEEP)
    with open_project(project) as opened:
        place, launch = _place(members[0], config, opened.project)
        request = Request(
            backend_name=record["backend_name"],
            backend=config.backend,
            worker=place.worker,
            project=opened.project.name,
            sweep=record["sweep_id"],
            sentence=record["sentence"],
            attempts=record["attempts"],
        )
        runs = []
        for planned in members:
            _, own = _place(planned, config, opened.project)
            runs.append((planned, prepare(planned, own, folder, request, elsewhere=place.elsewhere).folder))
        update_record(folder, {"members": [path.name for path in (*kept, *(run for _, run in runs))]}, SWEEP)
        flow = sweep_flow(runs, kept, folder, launch, place)
        ids = submit(opened, flow, worker=place.local_worker)
        append_event(folder, "submitted", jobs=ids, members=len(runs), kept=len(kept))
        return SubmittedSweep(folder, tuple(run for _, run in runs), kept, tuple(ids), opened.project.name, launch)


def sweep_outcome(folder: Path) -> Outcome:
    """What the members of a sweep say together.

    Raises
    ------
    InvalidRequest
        It is no sweep.
    """
    record = read_json(folder / SWEEP)
    verdict = record.get("verdict") or {}
    report = record.get("report")
    return Outcome(
        folder=folder,
        status="done" if verdict else "running",
        verdict=verdict.get("verdict"),
        sentence=verdict.get("sentence") or "no verdict yet: the members are not judged together",
        figures=tuple(folder / one["path"] for one in record.get("figures") or ()),
        report=None if report is None else folder / report,
        attempts=tuple(folder / name for name in record.get("members") or ()),
        record=record,
    )
