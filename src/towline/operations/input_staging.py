"""Input files of this machine on their way to the workers of the jobs that need them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from towline.core.records import NewFlow, NewJob
from towline.errors import InvalidFlow, InvalidRequest, WorkerError
from towline.operations.input_files import FileHere, Inputs, Stage, add_path, contents

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

#: Only a payload with this text can name a file.
_SIGN = b'"path"'


@dataclass(frozen=True, slots=True)
class Watching:
    """Who wants to know how files go over."""

    #: Told the bytes that are over so far, and those that there are in all.
    progress: Callable[[int, int], None] | None = None
    #: Told why a transfer was cut, and after how many seconds it goes on.
    interrupted: Callable[[WorkerError, float], None] | None = None


NOBODY = Watching()


def stage_for(opened: "OpenProject", worker: str | None, watching: Watching = NOBODY) -> Stage | None:
    """What brings large files to a worker; None for a worker that has the files of this machine.

    Raises
    ------
    ConfigurationError
        There is no such worker.
    """
    name, config = opened.project.worker(worker)
    if config.type == "local":
        return None

    def bring(files: Sequence[FileHere]) -> Mapping[str, str]:
        from towline.workers.staging import stage  # only who has large files pays for it

        places = stage(
            opened.transport(name),
            str(config.work_dir),
            [item.path for item in files],
            progress=watching.progress,
            interrupted=watching.interrupted,
        )
        return {item.name: places[item.path] for item in files}

    return bring


def with_staged_inputs(opened: "OpenProject", flow: NewFlow, worker: str) -> NewFlow:
    """The flow, in which no job on another machine names a file of this one any more.

    Parameters
    ----------
    worker
        Of the jobs that name none.

    Raises
    ------
    InvalidFlow
        There is no such file here.
    """
    if not any(_names_files(job) for job in flow.jobs):
        return flow
    return replace(flow, jobs=tuple(_staged(opened, job, job.worker or worker) for job in flow.jobs))


def _names_files(job: NewJob) -> bool:
    return job.payload_kind == "command" and _SIGN in job.payload


def _staged(opened: "OpenProject", job: NewJob, worker: str) -> NewJob:
    if not _names_files(job):
        return job
    stage = stage_for(opened, worker)
    if stage is None:
        return job
    payload = orjson.loads(job.payload)
    inputs, kept = Inputs(), {}
    try:
        for name, content in (payload.get("inputs") or {}).items():
            if _is_here(content):
                add_path(inputs, name, Path(content["path"]))
            else:
                kept[name] = content
        payload["inputs"] = {**kept, **contents(inputs, stage)}
    except InvalidRequest as error:
        raise InvalidFlow(
            f"command {job.name!r} ({job.uuid}) cannot be sent to the worker {worker}: {error}. "
            "For a file that is there already give towline.worker_file(path)"
        ) from error
    return replace(job, payload=orjson.dumps(payload))


def _is_here(content: Any) -> bool:
    """Whether an input is a file of the machine that submits; outputs of other jobs and `worker_file` are none."""
    return isinstance(content, Mapping) and content.keys() == {"path"} and isinstance(content["path"], str)
