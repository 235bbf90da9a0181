"""Trying a worker with a real job, apart from the queue."""

import fcntl
import select
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import orjson
import psutil

from towline.configuration.execution import shell_setup
from towline.configuration.model import Project
from towline.core.ports import Step
from towline.core.records import Assignment, Observation, pack_job
from towline.core.run_folder import ERROR_FILE
from towline.errors import WorkerError
from towline.on_worker.keeper import LOCK_FILE
from towline.operations.workers import local_worker, worker_state_dir
from towline.workers.local import LocalWorker

_NAP_SECONDS = 0.05
_SHOWN_CHARACTERS = 500
_END_SECONDS = 10.0


def try_worker(project: Project, name: str) -> str:
    """Start what runs the jobs of a worker, run the program ``true`` with it, and say how long that took.

    With `execution_cmd` it is a Python job, because commands run without that. The worker that a runner may have
    started for the project is left alone.

    Raises
    ------
    WorkerError
        The job did not run, failed, or took longer than `timeout_execute` of the worker.
    """
    config = project.workers[name]
    began = time.monotonic()
    with _folder_in(config.work_dir) as run_dir, tempfile.TemporaryDirectory(prefix="towline-check-") as state_dir:
        # One slot, also where the user wants no new jobs for now.
        trial = replace(config, max_jobs=1)
        elsewhere = replace(project, daemon_dir=Path(state_dir))
        worker = local_worker(elsewhere, name, trial)
        assignment = _assignment(project, name, run_dir)
        try:
            ended = _run(worker, assignment, began + config.timeout_execute)
        finally:
            _cancel(worker, assignment)
            _end(worker, worker_state_dir(elsewhere, name))
        if ended.exit is None or ended.exit.exit_code != 0:
            what = "the program `true` failed" if config.execution_cmd is None else "a Python job failed"
            raise WorkerError(f"{what} as a job {_what_went_wrong(ended, run_dir)}")
    how = f"a job ran through the worker ({config.execution})"
    if config.execution_cmd is not None:
        how = f"a Python job ran with execution_cmd ({config.execution_cmd})"
    return f"{how} in {time.monotonic() - began:.1f} s"


@contextmanager
def _folder_in(work_dir: Path) -> Iterator[Path]:
    """A folder that is deleted afterwards, with those above it that had to be made for it."""
    made = [folder for folder in (work_dir, *work_dir.parents) if not folder.exists()]
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="towline-check-", dir=work_dir))
    except OSError as error:
        raise WorkerError(f"no run folder can be made in {work_dir}: {error}") from error
    try:
        yield folder / "run"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            # Not when something else was put there meanwhile.
            with suppress(OSError):
                parent.rmdir()


def _assignment(project: Project, name: str, run_dir: Path) -> Assignment:
    config = project.workers[name]
    kind, uuid, payload = "command", str(uuid4()), orjson.dumps({"argv": ["true"]})
    if config.execution_cmd is not None:
        kind, uuid, payload = _python_job()
    header = {"db_id": "0", "uuid": uuid, "index": 1, "attempt": 1, "name": "check", "payload_kind": kind}
    return Assignment(
        job_id=0,
        uuid=uuid,
        index=1,
        attempt=1,
        name="check",
        payload_kind=kind,
        package=pack_job(header, payload, ()),
        run_dir=str(run_dir),
        resources=config.resources or {},
        shell=shell_setup(project, config, None),
    )


def _python_job() -> tuple[str, str, bytes]:
    """Kind, uuid and payload of a job that any Python with towline and jobflow can run."""
    # Loads jobflow, which other trials do without.
    from towline.jobflow.trial import trial_job

    made = trial_job()
    return made.payload_kind, made.uuid, made.payload


def _run(worker: LocalWorker, assignment: Assignment, deadline: float) -> Observation:
    _connect(worker, deadline)
    worker.advance(Step.UPLOAD, [assignment])
    submitted = False
    while time.monotonic() < deadline:
        observations = worker.observe()
        if any(item.event == "uploaded" for item in observations) and not submitted:
            submitted = True
            worker.advance(Step.SUBMIT, [assignment])
        ended = _end_among(observations)
        if ended is not None:
            return ended
        _wait(worker)
    raise WorkerError("the job did not end in time; look at pre_run, or raise timeout_execute of the worker")


def _connect(worker: LocalWorker, deadline: float) -> None:
    """Wait for the pilot, also where no job needs it: one that is still starting could not be ended afterwards."""
    while not worker.status()["connected"]:
        worker.observe()
        problem = worker.status()["problem"]
        if problem is not None:
            raise WorkerError(problem)
        if time.monotonic() >= deadline:
            raise WorkerError("the process that runs the jobs did not start in time; see timeout_execute of the worker")
        _wait(worker)


def _wait(worker: LocalWorker) -> None:
    looks = worker.next_look_seconds()
    select.select(worker.file_descriptors(), (), (), _NAP_SECONDS if looks is None else min(looks, _NAP_SECONDS))


def _end_among(observations: Sequence[Observation]) -> Observation | None:
    for item in observations:
        if item.event == "step_failed" and item.failure is not None:
            raise WorkerError(item.failure.message)
        if item.event == "ended":
            return item
    return None


def _what_went_wrong(ended: Observation, run_dir: Path) -> str:
    reason = (
        "without an exit record" if ended.exit is None else f"{ended.exit.reason}, exit code {ended.exit.exit_code}"
    )
    message = "" if ended.exit is None or ended.exit.message is None else f"; {ended.exit.message}"
    try:
        shown = (run_dir / ERROR_FILE).read_text(errors="replace")[-_SHOWN_CHARACTERS:].strip()
    except OSError:
        shown = ""
    return f"({reason}{message})" + (f": {shown}" if shown else "")


def _cancel(worker: LocalWorker, assignment: Assignment) -> None:
    """End the job if it still runs: a pilot does not end before its jobs."""
    worker.advance(Step.CANCEL, [assignment])
    deadline = time.monotonic() + _END_SECONDS
    while worker.status()["running"] and time.monotonic() < deadline:
        worker.observe()
        _wait(worker)


def _end(worker: LocalWorker, state_dir: Path) -> None:
    """End the pilot with its keeper, and wait for that: their folder goes next."""
    processes = _keeper_and_pilot(state_dir)
    worker.end_pilot()
    _, alive = psutil.wait_procs(processes, timeout=_END_SECONDS if worker.status()["connected"] else 0)
    # Waits for who starts a keeper: after it there is one, or none will come.
    worker.close()
    # The keeper first: it would start the pilot again.
    late = [process for process in _keeper_and_pilot(state_dir) if process not in alive]
    for process in [*late, *alive]:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs([*late, *alive], timeout=_END_SECONDS)


def _keeper_and_pilot(state_dir: Path) -> list[psutil.Process]:
    lock, deadline = state_dir / LOCK_FILE, time.monotonic() + _END_SECONDS
    try:
        # A keeper that has just begun has its lock a moment before its id stands there.
        while not lock.read_text() and _is_held(lock) and time.monotonic() < deadline:
            time.sleep(_NAP_SECONDS)
        keeper = psutil.Process(int(lock.read_text()))
        # The state folder is of this trial alone, so its name tells the keeper from a later process with its pid.
        ours = any(str(state_dir) in argument for argument in keeper.cmdline())
        return [keeper, *keeper.children()] if ours else []
    except (OSError, ValueError, psutil.Error):
        return []


def _is_held(lock: Path) -> bool:
    with lock.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
