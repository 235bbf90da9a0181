"""Running one command on a worker: from what a user types to a job, and from the end of the job to an exit code."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import orjson

from towline.core.documents import UnwritableValue, encode
from towline.core.records import NewFlow, NewJob
from towline.core.states import JobState
from towline.errors import InvalidRequest
from towline.on_worker.command_inputs import check
from towline.on_worker.command_payload import Command
from towline.operations.input_files import Inputs, contents
from towline.operations.input_staging import NOBODY, Watching, stage_for
from towline.operations.resources import on_top_of
from towline.operations.submission import submit_records
from towline.store.job_details import read_payload
from towline.store.job_info import JobInfo
from towline.workers.schedulers.shell import check_variables

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

#: Exit codes of `tow run` for ends that have none of their own: those of a shell, and of `timeout`.
TIMED_OUT = 124
STOPPED = 143
#: That of a shell for a program that it cannot find.
NOT_FOUND = 127
#: The job did not end well, and not by its command.
NOT_WELL = 3


@dataclass(frozen=True, slots=True)
class CommandRun:
    """A command that is to run on a worker."""

    words: Sequence[str]
    inputs: Inputs = field(default_factory=Inputs)
    #: Patterns of the files that are its outputs.
    outputs: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    worker: str | None = None
    #: What it asks for on top of what the worker asks for anyway.
    resources: Mapping[str, Any] | None = None
    exec_config: str | None = None
    priority: int = 0
    #: Absolute path of the folder that its run folder is in, instead of the worker's work_dir.
    work_dir: str | None = None


def submit_run(opened: "OpenProject", run: CommandRun, watching: Watching = NOBODY) -> int:
    """Bring the inputs of a command to its worker, and put it into the queue as a job; return its row.

    Raises
    ------
    InvalidRequest
        A name leads out of the folder of the job, or is one of a file of towline; a text cannot be stored.
    ConfigurationError
        No such worker or exec_config.
    """
    if not run.words or not run.words[0]:
        raise InvalidRequest("the command is empty; write it after --, for example: tow run -- hostname")
    _, config = opened.project.worker(run.worker)
    check_variables(run.environment)
    names = (*run.inputs.files, *run.inputs.on_worker, *run.inputs.empty_folders)
    check(Command({}, {"inputs": names, "outputs": run.outputs}, {}))
    payload = {
        "argv": list(run.words),
        "inputs": contents(run.inputs, stage_for(opened, run.worker, watching)),
        "outputs": list(run.outputs),
        "environment": dict(run.environment),
        "success_exit_codes": [0],
    }
    name = run.name or PurePath(run.words[0]).name or "command"
    flow_id, job_id = str(uuid.uuid4()), str(uuid.uuid4())
    job = NewJob(job_id, name, "command", _encoded(payload), hosts=(flow_id,))
    (db_id,) = submit_records(
        opened,
        NewFlow(flow_id, name, (job,)),
        worker=run.worker,
        exec_config=run.exec_config,
        resources=on_top_of(config.resources, run.resources) if run.resources else None,
        priority=run.priority,
        work_dir=run.work_dir,
    )
    return int(db_id.removeprefix(opened.db_id_prefix))


def exit_code_of(job: JobInfo) -> int:
    """The exit code that a job in a final state, or one that needs its user, stands for."""
    if job.state is JobState.COMPLETED:
        return job.exit_code or 0
    if job.state in (JobState.USER_STOPPED, JobState.STOPPED):
        return STOPPED
    if job.state is not JobState.FAILED:
        return NOT_WELL
    if job.reason == "timeout":
        return TIMED_OUT
    if job.reason == "not_started":
        return NOT_FOUND
    if job.exit_signal:
        return 128 + job.exit_signal
    return job.exit_code or NOT_WELL


def declared_outputs(opened: "OpenProject", job: JobInfo) -> tuple[str, ...]:
    """The patterns of files that a command declared as its outputs.

    Raises
    ------
    InvalidRequest
        It declared none, or is no command.
    """
    if job.payload_kind == "command":
        declared = tuple(orjson.loads(read_payload(opened.database, job.id)).get("outputs") or ())
        if declared:
            return declared
    raise InvalidRequest(
        f"job {job.db_id} declared no outputs; name files: `tow job files ls {job.db_id}` shows what there is"
    )


def changed_files(opened: "OpenProject", job: JobInfo, folder: Path, files: Sequence[Path]) -> list[Path]:
    """Those of the fetched files that are not what the job left: by the checksums in its output, where it has some.

    Parameters
    ----------
    folder
        Where the files are, under their names in the run folder.
    """
    known = _checksums(opened, job)
    return [path for path in files if known.get(str(path.relative_to(folder)), "") not in ("", _checksum(path))]


def _checksums(opened: "OpenProject", job: JobInfo) -> dict[str, str]:
    """Checksums of the declared outputs of a command; empty where finding them out would load a job store."""
    if job.payload_kind != "command" or job.state is not JobState.COMPLETED:
        return {}
    # It brings everything that a runner needs.
    from towline.operations.runner_setup import outputs_of

    (name,) = opened.database.read("SELECT jobstore FROM flow WHERE uuid = ?", (job.flow_id,))[0]
    outputs = outputs_of(opened.project)(name)
    found = outputs.load(opened.database.connection, [job.uuid]).get(job.uuid) if outputs.transactional else None
    if found is None or found[0] != job.index:
        return {}
    return {name: entry["sha256"] for name, entry in (orjson.loads(found[1]).get("files") or {}).items()}


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _encoded(payload: Mapping[str, Any]) -> bytes:
    try:
        return encode(payload)
    except UnwritableValue as error:
        raise InvalidRequest(f"the command cannot be stored: {error}; give other names or arguments") from error
