"""Jobs that are a program: what to start, which files to put there, and what came of it. Nothing here needs jobflow.

The payload is ``{"argv": [...]}`` or ``{"shell": "..."}`` with ``inputs``, ``outputs``, ``values``, ``environment`` and
``success_exit_codes``; see :func:`towline.jobflow.command.command`. References to outputs of other jobs may stand in
place of arguments, values of variables and contents of inputs.
"""

import glob
import hashlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from towline.core.records import ExitRecord, Failure, Result, pack_result
from towline.core.run_folder import RESULT_FILE, is_own_file, output_files
from towline.on_worker import prelude
from towline.on_worker.attempt_files import has_result, read_job, write_whole
from towline.on_worker.command_inputs import check, put_inputs, with_inputs
from towline.on_worker.command_payload import (
    Command,
    MissingOutput,
    UnusableCommand,
    inside,
    parse,
    resolved,
    text_of,
)
from towline.on_worker.command_values import READ_BYTES, values_of

__all__ = [
    "Command",
    "MissingOutput",
    "Traces",
    "UnusableCommand",
    "arguments",
    "check",
    "collect",
    "document",
    "environment",
    "failure_of",
    "leave_result",
    "parse",
    "put_inputs",
    "result_of_ended",
    "write_failure",
]

_TAIL_BYTES = 4096
_SCHEMA = {"@module": "jobflow.core.schemas", "@class": "JobStoreDocument"}


def arguments(command: Command) -> list[str]:
    """The program to start and its arguments.

    Raises
    ------
    MissingOutput
        A reference leads nowhere.
    """
    if "shell" in command.payload:
        return _with_files(["/bin/sh", "-c", str(command.payload["shell"])], command)
    words = [text_of(resolved(item, command, f"argument {number}")) for number, item in _numbered(command)]
    if not words:
        raise UnusableCommand("the command is empty")
    return _with_files(words, command)


def environment(command: Command) -> dict[str, str]:
    """Variables of the command.

    Raises
    ------
    MissingOutput
        A reference leads nowhere.
    """
    variables = command.payload.get("environment") or {}
    return {name: text_of(resolved(value, command, f"the variable {name}")) for name, value in variables.items()}


@dataclass(frozen=True, slots=True)
class Traces:
    """What a command left behind, wherever that is."""

    #: ``{name: {"path", "size_bytes", "sha256"}}`` of the declared outputs.
    files: Mapping[str, Any]
    #: The ends of what it printed.
    output_tail: str
    error_tail: str
    #: Values that were declared, by name.
    values: Mapping[str, Any] = field(default_factory=dict)


def collect(run_dir: str, command: Command, record: ExitRecord) -> Result:
    """The result of a command from what it left behind; the same again each time it is asked for."""
    output, error = (_tail(run_dir, name) for name in _printed(command))
    failure = failure_of(command, record, error)
    if failure is not None:
        return Result(failure=failure)
    try:
        files = _files(run_dir, command)
        values = values_of(command, lambda name: _end_of(f"{run_dir}/{name}", READ_BYTES))
    except UnusableCommand as unusable:
        return Result(failure=Failure("output", str(unusable), error or None))
    except OSError as problem:
        return Result(failure=Failure("output", f"the output {problem.filename!r} cannot be read: {problem.strerror}"))
    return Result(output=document(run_dir, command, record, Traces(files, output, error, values)))


def leave_result(run_dir: str, command: Command, record: ExitRecord) -> bytes | None:
    """Collect, and write the result file; the result itself when that is not possible, or not needed.

    Without files to collect, the exit record and the job file say it all: :func:`result_of_ended` tells it again.
    """
    result = collect(run_dir, command, record)
    return _write(run_dir, result) if command.has_outputs else pack_result(result)


def result_of_ended(run_dir: str, record: ExitRecord) -> bytes | None:
    """The result of a command whose exit record was found; None when its file is there, or it cannot be told."""
    if has_result(run_dir):
        return None
    content = read_job(run_dir)
    if content is None:
        return None
    try:
        return pack_result(collect(run_dir, parse(content), record))
    except UnusableCommand:
        return None


def write_failure(run_dir: str, failure: Failure) -> bytes | None:
    """Write a result that is a failure; the result itself when that is not possible."""
    return _write(run_dir, Result(failure=failure))


def _write(run_dir: str, result: Result) -> bytes | None:
    content = pack_result(result)
    try:
        write_whole(f"{run_dir}/{RESULT_FILE}", content)
    except OSError:
        return content
    return None


def _with_files(words: list[str], command: Command) -> list[str]:
    # What an earlier attempt left is newer than the inputs.
    return with_inputs(prelude.wrapped(words, command.header), command)


def _numbered(command: Command) -> Iterator[tuple[int, Any]]:
    return enumerate(command.payload["argv"])


def failure_of(command: Command, record: ExitRecord, error_tail: str) -> Failure | None:
    """Why a command failed; None when it did not."""
    if record.exit_code in (command.payload.get("success_exit_codes") or (0,)) and record.reason == "exited":
        return None
    details = error_tail or None
    if record.reason == "signal" and record.signal is not None:
        return Failure("signal", f"the command was ended by {_signal_name(record.signal)}", details)
    if record.reason != "exited":
        return Failure(record.reason, record.message or f"the command is {record.reason}", details)
    return Failure("exit_code", f"the command ended with exit code {record.exit_code}", details)


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def document(run_dir: str, command: Command, record: ExitRecord, traces: Traces) -> bytes:
    """The output of a command that succeeded, as jobflow's document."""
    header = command.header
    output = {
        "exit_code": record.exit_code,
        "signal": record.signal,
        "files": traces.files,
        "stdout_tail": traces.output_tail,
        "stderr_tail": traces.error_tail,
        "run_dir": run_dir,
    }
    if command.payload.get("values"):
        output["values"] = traces.values
    return orjson.dumps(
        {
            "uuid": header["uuid"],
            "index": header["index"],
            "output": output,
            "completed_at": datetime.fromtimestamp(record.ended_at).isoformat(),  # local time, as jobflow writes it
            "metadata": {**header.get("metadata", {}), "db_id": header.get("db_id")},
            "hosts": header.get("hosts", []),
            "name": header["name"],
            **_SCHEMA,
        }
    )


def _files(run_dir: str, command: Command) -> dict[str, Any]:
    files: dict[str, Any] = {}
    for pattern in command.payload.get("outputs") or ():
        matches = _matches(run_dir, pattern)
        if not matches:
            raise UnusableCommand(f"no file matches the declared output {pattern!r}; look at what is in {run_dir}")
        files |= {name: _entry(f"{run_dir}/{name}") for name in matches}
    return files


def _matches(run_dir: str, pattern: str) -> list[str]:
    inside(pattern)
    if os.path.isfile(f"{run_dir}/{pattern}"):  # noqa: PTH113 - a name may contain what looks like a pattern
        return [pattern]
    names = glob.glob(pattern, root_dir=run_dir, recursive=True)  # noqa: PTH207 - Path.glob has no root_dir
    return sorted(name for name in names if not is_own_file(name) and os.path.isfile(f"{run_dir}/{name}"))  # noqa: PTH113


def _entry(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:  # noqa: PTH123
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = os.fstat(file.fileno()).st_size
    return {"path": path, "size_bytes": size_bytes, "sha256": digest}


def _printed(command: Command) -> tuple[str, str]:
    return output_files(command.header.get("resources"))


def _tail(run_dir: str, name: str) -> str:
    try:
        return _end_of(f"{run_dir}/{name}", _TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _end_of(path: str, most_bytes: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size_bytes = os.fstat(descriptor).st_size
        if size_bytes == 0:
            return b""
        return os.pread(descriptor, most_bytes, max(0, size_bytes - most_bytes))
    finally:
        os.close(descriptor)
