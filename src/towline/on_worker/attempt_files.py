"""The files in a run folder that tell how far an attempt has come."""

import os
import time
from dataclasses import dataclass
from typing import Any

import orjson

from towline.core.records import ExitRecord
from towline.core.run_folder import EXIT_FILE, JOB_FILE, RESULT_FILE, STARTED_FILE
from towline.on_worker.process_identity import start_mark

#: The exit record while the outputs of a command are still being collected; see :mod:`towline.on_worker.command`.
PENDING_EXIT_FILE = f".{EXIT_FILE}.pending"


#: In the environment of the pilots of a batch worker, and of their jobs: the uid of the allocation.
BATCH_VARIABLE = "TOWLINE_BATCH"

#: Name of this machine where its own name is not that by which others know it, as in containers.
HOST_VARIABLE = "TOWLINE_HOST"


@dataclass(frozen=True, slots=True)
class Started:
    """Who runs an attempt."""

    #: None when the file was there, but nobody had written into it yet: the process began at that moment.
    pid: int | None
    #: See :func:`towline.on_worker.process_identity.start_mark`.
    mark: str | None
    #: Seconds since the epoch.
    at: float
    #: True when nothing runs the attempt, and nothing ever will.
    never: bool = False
    #: Name of the machine that it was started on; None when nobody wrote it.
    host: str | None = None
    #: The pilot that runs it, when that is one of a batch worker: `<uid of the allocation>.<number of the node>`.
    batch: str | None = None


def write_whole(path: str, content: bytes) -> None:
    """Write a file so that it appears whole, or not at all."""
    folder, name = os.path.split(path)
    temporary = f"{folder}/.{name}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, content)
    except BaseException:
        os.close(descriptor)
        os.unlink(temporary)  # noqa: PTH108 - a Path for every small file costs more than the call
        raise
    os.close(descriptor)
    os.rename(temporary, path)  # noqa: PTH104 - see above


def write(path: str, content: bytes) -> None:
    """Write a file that nobody reads before somebody else says that it is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, content)
    finally:
        os.close(descriptor)


def claim(run_dir: str, *, never: bool = False) -> bool:
    """Make the attempt that of this process; False when it belongs to another one already.

    Whoever creates the file runs the attempt. Exclusive creation works on every file system, hard links do not.

    Parameters
    ----------
    never
        Claim it for nobody, so that it is never run.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(f"{run_dir}/{STARTED_FILE}", flags, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(descriptor, started_content(None if never else os.getpid()))
    finally:
        os.close(descriptor)
    return True


def started_content(pid: int | None) -> bytes:
    """What the started file says about a process; None stands for an attempt that is never to run."""
    mark = None if pid is None else start_mark(pid)
    facts = {"pid": pid, "process_started_at": mark, "at": time.time(), "host": host()}
    batch = os.environ.get(BATCH_VARIABLE)
    return orjson.dumps(facts if batch is None or pid is None else {**facts, "batch": batch})


def read_started(run_dir: str) -> Started | None:
    """Who runs the attempt; None when nobody does."""
    path = f"{run_dir}/{STARTED_FILE}"
    content = read(path)
    if content is None:
        return None
    try:
        record = orjson.loads(content)
        return Started(
            record["pid"],
            record["process_started_at"],
            record["at"],
            never=record["pid"] is None,
            host=record.get("host"),
            batch=record.get("batch"),
        )
    except (ValueError, KeyError, TypeError):
        # Created, and its maker was killed before the next instruction.
        return Started(None, None, os.stat(path).st_mtime)  # noqa: PTH116


def write_exit(run_dir: str, record: ExitRecord, name: str = EXIT_FILE) -> None:
    """Write the exit record, by rename."""
    write_whole(f"{run_dir}/{name}", orjson.dumps(record))


def read_exit(run_dir: str, name: str = EXIT_FILE) -> ExitRecord | None:
    """The exit record of an attempt; None when there is none that can be read."""
    content = read(f"{run_dir}/{name}")
    if content is None:
        return None
    try:
        return ExitRecord(**orjson.loads(content))
    except (ValueError, TypeError):
        return None


def read_job(run_dir: str) -> bytes | None:
    """Content of the job file; None when there is none."""
    return read(f"{run_dir}/{JOB_FILE}")


def has_result(run_dir: str) -> bool:
    """Whether the payload left its result."""
    return os.path.exists(f"{run_dir}/{RESULT_FILE}")  # noqa: PTH110 - see write_whole


def result_written_at(run_dir: str) -> float:
    """When the payload left its result, in seconds since the epoch."""
    return os.stat(f"{run_dir}/{RESULT_FILE}").st_mtime  # noqa: PTH116 - see write_whole


def result_failed(run_dir: str) -> bool | None:
    """Whether the result in the run folder tells of a failure; None when there is no result."""
    content = read(f"{run_dir}/{RESULT_FILE}")
    if content is None:
        return None
    try:
        header: dict[str, Any] = orjson.loads(content.split(b"\n", 1)[0])
    except ValueError:
        return None
    return header.get("failure") is not None


def host() -> str:
    """Name of this machine."""
    return os.environ.get(HOST_VARIABLE) or os.uname().nodename


def read(path: str) -> bytes | None:
    """Content of a file; None when there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    pieces = []
    try:
        while piece := os.read(descriptor, 1 << 20):
            pieces.append(piece)
    finally:
        os.close(descriptor)
    return b"".join(pieces)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
