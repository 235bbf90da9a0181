"""One attempt of a simulation in its run directory: making it, judging what came of it, drawing it.

Nothing here needs the queue: the jobs of a flow call these functions, and so does ``tow simulation check``.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towline.errors import TowlineError
from towline.operations.simulation_planning import Planned, render_input
from towline.simulations import registry
from towline.simulations.application import Case, CheckResult, Outcome, Results, RunFiles, Verdict
from towline.simulations.cases import (
    case_document,
    finding_document,
    metric_document,
    read_case,
    stated_values,
    verdict_document,
)
from towline.simulations.moose.console import read_console
from towline.simulations.moose.launching import Launch, run_script
from towline.simulations.provenance import (
    CITATIONS,
    executable_state,
    hashes_of,
    machine,
    package_versions,
    source_state,
)
from towline.simulations.recovery import Correction, correct, proposals
from towline.simulations.remedies import read_remedies
from towline.simulations.review import Diagnosis, classify, classify_checks
from towline.simulations.run_directory import (
    METADATA,
    SCRIPT,
    NewRun,
    append_event,
    create,
    find_files,
    read_json,
    update_record,
    write_json,
)


@dataclass(frozen=True)
class Request:
    """What belongs to a run besides its case."""

    #: Label for provenance, as AutoMOOSE's ``--backend-name``.
    backend_name: str = ""
    #: ``local`` or ``hpc``.
    backend: str = "local"
    worker: str = ""
    project: str = ""
    attempt: int = 1
    #: Name of the run directory of the attempt before.
    parent: str | None = None
    #: What is different from it.
    correction: Mapping[str, Any] | None = None
    #: Of a sweep.
    sweep: str | None = None
    #: What a sentence said, who read it, with prompts and usage.
    sentence: Mapping[str, Any] | None = None
    #: How often the run is made at most.
    attempts: int = 3


def prepare(
    planned: Planned,
    launch: Launch,
    runs_dir: Path,
    request: Request,
    *,
    elsewhere: bool = False,
) -> NewRun:
    """Make the run directory of a case: input, script, metadata and the first record.

    Parameters
    ----------
    elsewhere
        Whether it is run on another machine, where the directory has another name.

    Raises
    ------
    InvalidRequest
        The directory cannot be made.
    """
    text = render_input(planned)
    case = planned.case
    name = str(case["run_name"])
    now = datetime.now(UTC)
    label = planned.application.directory_label(case)
    if request.attempt > 1:
        label += f"__attempt{request.attempt}"
    run = create(runs_dir, name, label, now)
    (run.folder / f"{name}.i").write_text(text, encoding="utf-8")
    script = run.folder / SCRIPT
    script.write_text(run_script(launch, f"{name}.i", None if elsewhere else run.folder), encoding="utf-8")
    script.chmod(0o755)
    write_json(run.folder / METADATA, _metadata(planned, launch, run, request, now))
    update_record(
        run.folder,
        {
            "run_id": run.run_id,
            "dir_name": run.folder.name,
            "physics": case.physics,
            "status": "pending",
            "created": now.isoformat(),
            "attempt": request.attempt,
            "parent": request.parent,
            "sweep": request.sweep,
            "solver": launch.solver,
        },
    )
    append_event(run.folder, "created", attempt=request.attempt, parent=request.parent)
    return run


def _metadata(planned: Planned, launch: Launch, run: NewRun, request: Request, now: datetime) -> dict[str, Any]:
    case = planned.case
    return {
        "run_id": run.run_id,
        "created": now.isoformat(),
        "hostname": machine()["hostname"],
        "physics": case.physics,
        "dim": case.values["dim"].value if "dim" in case.values else None,
        "moose_exec": None if launch.is_embedded else launch.command[-1],
        "params": {name: value.value for name, value in case.values.items()},
        "case": case_document(case),
        "stated": {name: value.value for name, value in stated_values(case).items()},
        "preset": planned.preset,
        "seeds": {name: one.value for name, one in case.values.items() if "seed" in name},
        "findings": [finding_document(one) for one in planned.findings],
        "execution_backend": request.backend,
        "backend_name": request.backend_name,
        "worker": request.worker,
        "project": request.project,
        "attempt": request.attempt,
        "attempts": request.attempts,
        "parent": request.parent,
        "correction": request.correction,
        "sweep": request.sweep,
        "sentence": request.sentence,
        "solver": {"name": launch.solver, "notes": list(launch.notes), **executable_state(launch.command)},
        "machine": machine(),
        "packages": package_versions(),
        "source": source_state(),
        "citations": CITATIONS,
    }


@dataclass(frozen=True)
class Judged:
    """What came of an attempt."""

    folder: Path
    case: Case
    files: RunFiles
    verdict: Verdict
    results: Results | None
    diagnosis: Diagnosis | None
    #: What would be different in the next attempt; None: nothing helps, or nothing is needed.
    correction: Correction | None
    problem: str | None = None

    @property
    def status(self) -> str:
        """``done`` or ``failed``."""
        return "done" if self.results is not None and self.diagnosis_of_run is None else "failed"

    @property
    def diagnosis_of_run(self) -> Diagnosis | None:
        """Why the run itself failed; None when only checks did."""
        return None if self.diagnosis is None or self.diagnosis.checks else self.diagnosis


def planned_of(folder: Path) -> tuple[Case, dict[str, Any]]:
    """The case of a run directory, and all of its metadata."""
    metadata = read_json(folder / METADATA)
    return read_case(metadata["case"]), metadata


def judge(
    folder: Path,
    reason: str | None = None,
    earlier: tuple[Correction, ...] = (),
    resources: Iterable[str] | None = None,
    continued: int = 0,
) -> Judged:
    """Read what a run left, find out why it failed if it did, and try to prove its results wrong.

    Parameters
    ----------
    reason
        What the queue says of the end of the job, in a word; None when it says nothing.
    earlier
        The corrections that led to this attempt.
    resources
        What the job asked for: more of anything else would change nothing. None: unknown.
    continued
        How often it went on after its time limit, which counts as attempts do.

    Raises
    ------
    InvalidRequest
        The run directory is gone.
    """
    case, metadata = planned_of(folder)
    application = registry.find(case.physics)
    files = find_files(folder, str(case["run_name"]))
    remedies = read_remedies(application.remedies_file)
    diagnosis = classify(files, reason, remedies)
    results, problem, checks = None, None, []
    try:
        results = application.results(case, files)
        checks = application.checks(case, files, results)
    except TowlineError as error:
        problem = str(error)
        checks = [_unreadable(problem)]
    verdict = Verdict.of(checks)
    if diagnosis is None:
        diagnosis = classify_checks(checks, remedies)
    correction = None
    if diagnosis is not None:
        correction = correct(
            case,
            diagnosis,
            int(metadata.get("attempt", 1)) + continued,
            application.parameters,
            earlier=earlier,
            attempts=int(metadata.get("attempts", 3)),
            resources=resources,
        )
    return Judged(folder, case, files, verdict, results, diagnosis, correction, problem)


def _unreadable(problem: str) -> CheckResult:
    return CheckResult("N2", "results can be read", Outcome.INCONCLUSIVE, problem)


def store_judgement(judged: Judged, ending: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write what came of an attempt into its record; returns the record.

    Parameters
    ----------
    ending
        What the queue knows of the job: times, worker, exit code, reason.
    """
    folder, files = judged.folder, judged.files
    log = files.log.read_text(encoding="utf-8", errors="replace") if files.log is not None else ""
    console = read_console(log)
    diagnosis = judged.diagnosis
    changes: dict[str, Any] = {
        "status": judged.status,
        "judged": datetime.now(UTC).isoformat(),
        "exit_code": files.exit_code,
        "log_path": relative(files.log, folder),
        "csv_path": relative(files.csv, folder),
        "exodus_path": relative(files.exodus, folder),
        "input_path": relative(files.input_file, folder),
        "solver_header": console.header,
        "accepted_steps": console.accepted_steps,
        "rejected_steps": console.rejected_steps,
        "solver_warnings": list(console.warnings)[:50],
        "metrics": {}
        if judged.results is None
        else {name: metric_document(one) for name, one in judged.results.metrics.items()},
        "verdict": verdict_document(judged.verdict),
        "problem": judged.problem,
        "review": None if diagnosis is None else _diagnosis_document(judged, diagnosis),
        "correction": None if judged.correction is None else correction_document(judged.correction),
        "hashes": hashes_of(folder),
    }
    record = update_record(folder, changes | dict(ending or {}))
    append_event(folder, "judged", status=judged.status, verdict=judged.verdict.word.value)
    return record


def _diagnosis_document(judged: Judged, diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "failure": diagnosis.failure,
        "sentence": diagnosis.sentence(),
        "advice": diagnosis.remedy.advice,
        "evidence": diagnosis.evidence,
        "source": diagnosis.source,
        "line": diagnosis.line,
        "checks": list(diagnosis.checks),
        "proposals": proposals(judged.case, diagnosis),
    }


def correction_document(correction: Correction) -> dict[str, Any]:
    """A correction as JSON-like values."""
    return {
        "failure": correction.failure,
        "note": correction.note,
        "changes": {
            name: {"value": one.value, "unit": one.unit, "origin": one.origin.value, "note": one.note}
            for name, one in correction.changes.items()
        },
        "resources": dict(correction.resources),
    }


def read_correction(document: Mapping[str, Any]) -> Correction:
    """The correction of a document that :func:`correction_document` made."""
    changes = read_case({"physics": "", "values": document["changes"]}).values
    return Correction(document["failure"], changes, document["resources"], document["note"])


def relative(path: Path | None, folder: Path) -> str | None:
    if path is None:
        return None
    return os.path.relpath(path, folder)
