"""Simulations as jobs of the queue: run, judge, report; a remedy becomes a further run in the place of the judgement.

The run is a command, wherever its worker is. Judging and drawing happen on this machine. The functions are found by
their names, so jobs can be run again at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from jobflow import Flow, Job, OnMissing, Response, job

from towline.core.retry_policy import raised
from towline.errors import InvalidRequest, TowlineError
from towline.jobflow.command import command
from towline.jobflow.run_config import set_run_config
from towline.operations.compose import open_project
from towline.operations.job_folders import folder_of_job
from towline.operations.jobs import get_job, job_info
from towline.operations.selection import job_row
from towline.operations.simulation_planning import Planned
from towline.operations.simulation_reports import analyse_members, draw
from towline.operations.simulation_runs import (
    Request,
    correction_document,
    judge,
    planned_of,
    prepare,
    read_correction,
    store_judgement,
)
from towline.simulations import registry
from towline.simulations.cases import read_finding
from towline.simulations.moose.launching import KEPT, KILLED, STUCK, Launch
from towline.simulations.run_directory import (
    LOG,
    METADATA,
    RESULTS,
    SCRIPT,
    STARTS,
    append_event,
    exit_code_of,
    read_json,
    starts_of,
    update_record,
)
from towline.store.job_history import EarlierAttempt

#: Of a run that was ended from outside, its own script has not collected anything.
_LEFT_BEHIND = ["*.csv", "*.e", LOG, STARTS, "slurm-*.out", f"{RESULTS}/*"]
#: Every exit code of the program's own is an answer: what it means is judged, not guessed.
_ANSWERS = [code for code in range(256) if code not in KILLED]
#: Ends that somebody or something else made: the run goes on, from its last checkpoint where it has one.
_FROM_OUTSIDE = ("node_failure", "preempted", "interrupted", "vanished", "signal", "exit_code")
#: How often after those; after a time limit as often as the run may be made.
_MOST_CONTINUATIONS = 20


@dataclass(frozen=True)
class Place:
    """Where the jobs of a simulation run."""

    #: Of the queue.
    project: str
    #: On this machine; judges and draws.
    local_worker: str
    #: Runs the solver.
    worker: str
    #: Whether that is another machine, so that inputs go there and results come back.
    elsewhere: bool = False
    resources: Mapping[str, Any] = field(default_factory=dict)
    #: Shell lines before the program, as a job on a cluster needs.
    exec_config: Mapping[str, Any] | None = None


def simulation_flow(planned: Planned, folder: Path, launch: Launch, place: Place) -> Flow:
    """The flow of one simulation whose run directory is made: run, judge, report."""
    jobs, judged = _attempt(planned, folder, launch, place, [])
    reported = _here(report_run(judged.output), place)
    name = f"{planned.case.physics} {planned.case['run_name']}"
    return Flow([*jobs, reported], name=name, output=judged.output)


def sweep_flow(
    members: Sequence[tuple[Planned, Path]], kept: Sequence[Path], sweep: Path, launch: Launch, place: Place
) -> Flow:
    """The flow of the members of a sweep, side by side, and what is told of them together.

    Parameters
    ----------
    kept
        Run directories of members that are done.
    """
    flows: list[Flow | Job] = []
    outputs: list[Any] = [{"folder": str(path)} for path in kept]
    for planned, folder in members:
        flow = simulation_flow(planned, folder, launch, place)
        flows.append(flow)
        outputs.append(flow.output)
    analysed = _here(report_sweep(str(sweep), outputs), place)
    # A member that failed is missing in the analysis, which says so.
    analysed.config.on_missing_references = OnMissing.NONE
    return Flow([*flows, analysed], name=f"sweep {sweep.name}", output=analysed.output)


def _attempt(
    planned: Planned, folder: Path, launch: Launch, place: Place, earlier: list[dict[str, Any]]
) -> tuple[list[Job], Job]:
    """The jobs of one attempt; the last of them judges it."""
    run = _run_job(planned, folder, place)
    set_run_config(run, retry=_continuation(folder, launch, place), dynamic=False)
    launched: dict[str, Any] = {"solver": launch.solver, "command": list(launch.command), "notes": list(launch.notes)}
    launched["remote_application"] = launch.remote_application
    judged = _here(judge_attempt(str(folder), run.output, run.uuid, asdict(place), launched, earlier), place)
    # A run that was killed is judged too: why it ended is the question.
    judged.config.on_missing_references = OnMissing.NONE
    judged.metadata["simulation"] = folder.name
    if place.elsewhere:
        # Bringing the files may fail while the connection is away.
        set_run_config(judged, retry={"error": {"times": 5, "delay_seconds": [10, 60, 600]}}, dynamic=False)
    return [run, judged], judged


def _run_job(planned: Planned, folder: Path, place: Place) -> Job:
    name = str(planned.case["run_name"])
    settings: dict[str, Any] = {"worker": place.worker, "resources": dict(place.resources) or None}
    if place.elsewhere:
        inputs = {SCRIPT: folder / SCRIPT, f"{name}.i": folder / f"{name}.i"}
        run = command(
            ["/bin/sh", SCRIPT],
            inputs={file: path.read_text(encoding="utf-8") for file, path in inputs.items()},
            outputs=[f"{RESULTS}/*"],
            success_exit_codes=_ANSWERS,
            name=f"run {name}",
            metadata={"simulation": folder.name},
        )
        settings["exec_config"] = place.exec_config
    else:
        run = command(
            ["/bin/sh", str(folder / SCRIPT)],
            success_exit_codes=_ANSWERS,
            name=f"run {name}",
            metadata={"simulation": folder.name},
        )
    return set_run_config(run, **settings)


def _continuation(folder: Path, launch: Launch, place: Place) -> dict[str, Any] | None:
    """The policy of a run that was interrupted: its script goes on from the checkpoint that it finds."""
    metadata = read_json(folder / METADATA)
    attempts = int(metadata["attempts"])
    if attempts == 1:
        return None
    # In the run directory of this machine everything is still there.
    keep = {"keep": list(KEPT)} if place.elsewhere else {}
    policy: dict[str, Any] = {reason: {"times": _MOST_CONTINUATIONS, **keep} for reason in _FROM_OUTSIDE}
    if launch.is_embedded or metadata["params"].get("use_checkpoint"):
        # Without checkpoints a time limit would end it at the same place again.
        policy["timeout"] = {"times": attempts - 1, **keep}
    return policy


def _here(one: Job, place: Place) -> Job:
    # What these jobs make goes where it says itself.
    return set_run_config(one, worker=place.local_worker, dynamic=False)


@job
def judge_attempt(
    folder: str,
    run: Mapping[str, Any] | None,
    run_uuid: str,
    place: Mapping[str, Any],
    launched: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]],
) -> Any:
    """Judge an attempt; where a remedy is known, the next attempt takes the place of this job."""
    path = Path(folder)
    where = Place(**place)
    if where.elsewhere:
        fetch(where.project, run_uuid, path)
    ending = _ending(where.project, run_uuid, path)
    corrections = tuple(read_correction(one) for one in earlier)
    continued = sum(one["after"] == "timeout" for one in ending.get("continued", ()))
    judged = judge(path, ending["reason"], corrections, where.resources, continued)
    record = store_judgement(judged, ending)
    if judged.correction is None:
        return {
            "folder": folder,
            "status": record["status"],
            "verdict": record["verdict"]["verdict"],
            "sentence": record["verdict"]["sentence"],
        }
    launch = Launch(
        launched["solver"], tuple(launched["command"]), tuple(launched["notes"]), launched["remote_application"]
    )
    correction = judged.correction
    if correction.resources:
        where = replace(where, resources=raised(where.resources, correction.resources))
    further = correction_document(correction)
    planned, folder_of_next = _next_attempt(path, launch, where, further)
    jobs, last = _attempt(planned, folder_of_next, launch, where, [*map(dict, earlier), further])
    return Response(replace=Flow([*jobs], output=last.output, name=f"attempt of {path.name}"))


def _next_attempt(folder: Path, launch: Launch, place: Place, correction: Mapping[str, Any]) -> tuple[Planned, Path]:
    """Make the run directory of the attempt that follows; both directories name each other."""
    case, metadata = planned_of(folder)
    application = registry.find(case.physics)
    changed = read_correction(correction).applied(case)
    planned = Planned(
        application, changed, tuple(read_finding(one) for one in metadata["findings"]), metadata["preset"]
    )
    request = Request(
        backend_name=metadata["backend_name"],
        backend=metadata["execution_backend"],
        worker=place.worker,
        project=place.project,
        attempt=int(metadata["attempt"]) + 1,
        parent=folder.name,
        correction=correction,
        sweep=metadata["sweep"],
        sentence=metadata["sentence"],
        attempts=int(metadata["attempts"]),
    )
    made = prepare(planned, launch, folder.parent, request, elsewhere=place.elsewhere)
    update_record(folder, {"next_attempt": made.folder.name})
    append_event(folder, "corrected", note=correction["note"], next=made.folder.name)
    return planned, made.folder


@job
def report_run(judged: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the attempt that counts, and write its report."""
    return draw(Path(judged["folder"]))


@job
def report_sweep(folder: str, members: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """What the members of a sweep say together."""
    return analyse_members(Path(folder), [Path(one["folder"]) for one in members if one is not None])


def fetch(project: str, uuid: str, folder: Path) -> None:
    """Bring what a run has left on its worker into its run directory, however it ended.

    Raises
    ------
    WorkerError
        There is no connection to the worker now. The job that asks can be run again.
    """
    with open_project(project) as opened:
        try:
            there = folder_of_job(opened, get_job(opened, job_row(opened, uuid)))
        except InvalidRequest as error:
            # It never began, or somebody deleted its folder: the judgement says what follows.
            append_event(folder, "nothing to fetch", problem=str(error))
            return
        names = there.present(_LEFT_BEHIND)
        found = there.fetch(names, folder) if names else []
    results = folder / RESULTS
    if results.is_dir():
        for path in results.iterdir():
            if path.is_file():
                path.replace(folder / path.name)
    append_event(folder, "fetched", files=len(found))


def _ending(project: str, uuid: str, folder: Path) -> dict[str, Any]:
    """What the queue knows of the end of a job; without a queue, as under `run_locally`, nothing."""
    try:
        with open_project(project) as opened:
            report = job_info(opened, job_row(opened, uuid))
    except TowlineError:
        return {"reason": None}
    found = report.job
    started, ended = found.start_time, found.end_time
    before = [_interruption(one) for one in report.earlier_attempts]
    # A script that gives up says so; why the starts before it ended is the reason.
    reason = before[-1]["after"] if before and exit_code_of(folder) == STUCK else found.reason
    return {
        "reason": reason,
        "signal": found.exit_signal,
        "job": {"db_id": found.db_id, "uuid": found.uuid, "worker": found.worker, "run_dir": found.run_dir},
        "scheduler_id": found.remote.process_id,
        "start_time": None if started is None else started.isoformat(),
        "end_time": None if ended is None else ended.isoformat(),
        "duration_s": None if started is None or ended is None else (ended - started).total_seconds(),
        "exit_record": None if found.exit_record is None else dict(found.exit_record),
        "continued": [one | {"from": start} for one, start in zip(before, starts_of(folder)[1:], strict=False)],
    }


def _interruption(attempt: EarlierAttempt) -> dict[str, Any]:
    """How a start of the run ended that was continued."""
    started, ended = attempt.start_time, attempt.end_time
    return {
        "after": attempt.outcome.get("reason"),
        "scheduler_id": attempt.outcome.get("process_id"),
        "run_dir": attempt.run_dir,
        "start_time": None if started is None else started.isoformat(),
        "end_time": None if ended is None else ended.isoformat(),
    }
