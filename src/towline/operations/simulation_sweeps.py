"""Sweeps as a user asks for them: many simulations side by side, resumed, judged together."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towline.core.states import IN_FLIGHT, JobState
from towline.errors import InvalidRequest
from towline.operations.compose import open_project
from towline.operations.jobs import JobFilter, list_jobs
from towline.operations.simulation_planning import Planned, refuse_errors
from towline.operations.simulation_records import Outcome, outcome, refuse_full_disk, runs_folder
from towline.operations.simulation_reports import SWEEP, analyse_members, draw
from towline.operations.simulation_runs import Request, judge, planned_of, prepare, store_judgement
from towline.operations.simulations import configuration, place_of, project_for
from towline.operations.submission import submit
from towline.simulations import registry
from towline.simulations.cases import read_finding
from towline.simulations.config_env import ConfigEnv
from towline.simulations.moose.launching import Launch
from towline.simulations.moose.refinement import Refinement, refined
from towline.simulations.run_directory import (
    METADATA,
    RECORD,
    append_event,
    create,
    read_json,
    update_record,
    write_json,
)

#: Of jobs that will go on by themselves, or do.
_MOVING = IN_FLIGHT | {JobState.READY}


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
    refuse_full_disk(members, config, force=force)
    folder = _make_folder(
        runs_folder(config),
        name,
        "sweep",
        members[0].case.physics,
        {"asked": dict(asked or {}), "backend_name": backend_name, "sentence": sentence, "attempts": attempts},
    )
    append_event(folder, "created", members=len(members))
    return _submit_members(folder, [*members], (), config, project)


def submit_refinement(
    folder: Path, what: str, *, config: ConfigEnv | None = None, project: str | None = None
) -> SubmittedSweep:
    """Make a run once more with half the cells, or half the time steps, and judge both together: check C1.

    Parameters
    ----------
    folder
        Of a run that was judged.
    what
        ``mesh`` or ``time-step``.

    Raises
    ------
    InvalidRequest
        It is no run that ended, it cannot be refined, or it was made with another solver.
    """
    if is_sweep(folder):
        raise InvalidRequest(f"{folder.name} is a sweep; name one of its runs to refine that")
    found = outcome(folder)
    if found.status != "done":
        raise InvalidRequest(f"{found.folder.name} is {found.status}; only a run that ended well can be refined")
    case, metadata = planned_of(found.folder)
    application = registry.find(case.physics)
    finer = refined(case, Refinement(what))
    planned = Planned(application, finer, tuple(application.preflight(finer)), metadata["preset"])
    refuse_errors(planned, force=False)
    config = configuration() if config is None else config
    with open_project(project_for(config, project)) as opened:
        _, launch = place_of(planned, config, opened.project)
    if launch.solver != found.record["solver"]:
        raise InvalidRequest(
            f"{found.folder.name} was made by the {found.record['solver']}, and this configuration has the "
            f"{launch.solver}: the difference would be that of the solvers"
        )
    told = {"asked": {"refine": what, "run": found.folder.name}, "backend_name": metadata["backend_name"]}
    made = _make_folder(
        runs_folder(config),
        str(case["run_name"]),
        f"{what}_refined",
        case.physics,
        told | {"sentence": None, "attempts": 1},
    )
    append_event(made, "created", refined=found.folder.name, halved=what)
    return _submit_members(made, [planned], (found.folder,), config, project)


def _make_folder(runs_dir: Path, name: str, label: str, physics: str, told: Mapping[str, Any]) -> Path:
    made = create(runs_dir, name, f"{label}_{physics}", datetime.now(UTC))
    document = {"sweep_id": made.run_id, "physics": physics, "created": datetime.now(UTC).isoformat(), **told}
    write_json(made.folder / SWEEP, document)
    return made.folder


def resume_sweep(folder: Path, *, config: ConfigEnv | None = None, project: str | None = None) -> SubmittedSweep:
    """Run again those members of a sweep that are missing or failed; the others are kept.

    Raises
    ------
    InvalidRequest
        It is no sweep, members of it are still under way, or nothing is left to do.
    """
    record = read_json(folder / SWEEP)
    _refuse_running([folder / name for name in record["members"] if (folder / name).is_dir()], folder)
    kept, again = [], []
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


def _refuse_running(members: Sequence[Path], sweep: Path) -> None:
    """Refuse to run members again whose jobs still move: each would be computed twice.

    Raises
    ------
    InvalidRequest
        There are some; how many.
    """
    open_ones = [outcome(one).folder for one in members if outcome(one).status in ("pending", "running", "judging")]
    if not open_ones:
        return
    with open_project(read_json(open_ones[0] / METADATA)["project"]) as opened:
        states = {
            one.name: [job.state for job in list_jobs(opened, JobFilter(metadata={"simulation": one.name}))]
            for one in open_ones
        }
    running = [name for name, found in states.items() if any(one in _MOVING for one in found)]
    if running:
        raise InvalidRequest(
            f"{len(running)} members of {sweep.name} are still under way: {', '.join(running[:3])}; to see how far: "
            f"tow simulation show {sweep}. They go on while a runner is active (tow runner start); "
            "to end them: tow job stop"
        )


def _submit_members(
    folder: Path, members: list[Planned], kept: tuple[Path, ...], config: ConfigEnv, project: str | None
) -> SubmittedSweep:
    from towline.operations.simulation_jobs import sweep_flow  # see submit_simulation

    record = read_json(folder / SWEEP)
    with open_project(project_for(config, project)) as opened:
        place, launch = place_of(members[0], config, opened.project)
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
            _, own = place_of(planned, config, opened.project)
            runs.append((planned, prepare(planned, own, folder, request, elsewhere=place.elsewhere).folder))
        # A run that is refined has its directory beside that of the sweep.
        names = [os.path.relpath(path, folder) for path in (*kept, *(run for _, run in runs))]
        update_record(folder, {"members": names}, SWEEP)
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


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep."""
    return (folder / SWEEP).is_file()


def judge_again(folder: Path) -> Outcome:
    """Judge a run, or the members of a sweep, anew, and draw them; nothing is run.

    Raises
    ------
    InvalidRequest
        It is no run directory, or there is nothing to judge.
    """
    if is_sweep(folder):
        members = [outcome(one) for one in sweep_outcome(folder).attempts if one.is_dir()]
        for member in members:
            # What is under way is judged when it has ended.
            if member.status in ("done", "failed"):
                _judge_one(member.folder)
        analyse_members(folder, [member.folder for member in members])
        return sweep_outcome(folder)
    _judge_one(folder)
    return outcome(folder)


def _judge_one(folder: Path) -> None:
    reason = read_json(folder / RECORD).get("reason")
    store_judgement(judge(folder, reason))
    draw(folder)
