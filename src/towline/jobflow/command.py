"""A shell command as a job, to be used in flows like any other.

On a towline worker it runs without Python. Under `jobflow.run_locally` the function :func:`run_command` does the same,
in the current folder.
"""

import base64
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from jobflow import Job, JobConfig, OnMissing, OutputReference

from towline.core.documents import UnwritableValue, encode
from towline.core.run_folder import checked_work_dir
from towline.errors import InvalidFlow, WorkerError
from towline.jobflow.encoding import Encoder
from towline.jobflow.retry_settings import plain_policy
from towline.on_worker.command_payload import UnusableCommand
from towline.on_worker.command_values import check_value, value_in

#: Bytes of standard output and standard error that become part of the output, from their ends.
_TAIL_BYTES = 4096


def command(
    command: str | Sequence[Any],
    *,
    inputs: Mapping[str, Any] | None = None,
    outputs: Iterable[str] = (),
    values: Mapping[str, str | Mapping[str, Any]] | None = None,
    environment: Mapping[str, Any] | None = None,
    success_exit_codes: Iterable[int] = (0,),
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    retry: Mapping[str, Any] | None = None,
    work_dir: str | PurePath | None = None,
) -> Job:
    """A job that runs a command.

    Its output is ``{"exit_code", "signal", "files": {name: {"path", "size_bytes", "sha256"}}, "stdout_tail",
    "stderr_tail", "run_dir"}``, and ``"values"`` where some are declared; use parts of it in other jobs, such as
    ``job.output["files"]["x.csv"]["path"]`` and ``job.output["values"]["energy"]``.

    Parameters
    ----------
    command
        Text for `/bin/sh`, or the program and its arguments, which no shell touches. Numbers, paths and outputs of
        other jobs are possible as arguments; in text they are not, pass them in `environment`.
    inputs
        ``{name: content}`` of files in the folder of the job. Content is text, bytes, a :class:`~pathlib.Path` of a
        file or folder of this machine (sent along to workers elsewhere), :func:`worker_file`, or the output of another
        job: a file of a command (``{"path": ...}``) is copied, text is written as it is, everything else as JSON. Text
        that starts with ``#!`` becomes executable.
    outputs
        Patterns (``*.csv``, ``results/**/*.dat``) of the files that are part of the output. A pattern that no file
        matches fails the job.
    values
        ``{name: rule}`` of values that are read from what the command wrote. A rule is a regular expression for
        standard output, whose last match counts (its first group, if it has one), or a mapping with `file` and one of
        `pattern` (the same), `key` (``a.b.0`` in JSON), `column` (in CSV with a line of names; `row` from 0, the last
        one by default). What reads like a number becomes one; a value that is not there fails the job.
    environment
        Variables for the command; outputs of other jobs are possible as values.
    success_exit_codes
        Exit codes that mean success; any other one fails the job.
    name
        Name of the job, by default that of the program.
    retry, work_dir
        What follows a failure, and where the run folders are, as in
        :func:`~towline.jobflow.run_config.set_run_config`.

    Raises
    ------
    InvalidFlow
        The command is empty, a file name leads out of the folder, or a value is of an impossible type.
    InvalidRequest
        `work_dir` is no absolute path.
    """
    arguments: dict[str, Any] = {"inputs": {}, "outputs": [_file_name(item) for item in _several(outputs)]}
    if isinstance(command, str):
        arguments["shell"] = _text(command)
        words = command.split()
    else:
        arguments["argv"] = [_argument(item) for item in command]
        words = [str(item) for item in command[:1]]
    if not words:
        raise InvalidFlow("the command is empty; give a program and its arguments")
    arguments["inputs"] = {_file_name(key): _content(key, value) for key, value in (inputs or {}).items()}
    arguments["environment"] = {_variable(key): _argument(value) for key, value in (environment or {}).items()}
    arguments["success_exit_codes"] = [int(code) for code in success_exit_codes]
    if values:
        arguments["values"] = {name: _rule(name, rule) for name, rule in values.items()}
    manager_config: dict[str, Any] = {} if retry is None else {"retry": plain_policy(retry)}
    if work_dir is not None:
        manager_config["work_dir"] = checked_work_dir(work_dir)
    return Job(
        function=run_command,
        function_kwargs=arguments,
        name=name or PurePath(words[0]).name,
        metadata=dict(metadata or {}),
        config=JobConfig(manager_config=manager_config),
    )


@dataclass(frozen=True, slots=True)
class WorkerFile:
    """A file or folder that is on the worker already."""

    path: str
    is_copied: bool


def worker_file(path: str | PurePath, *, copy: bool = False) -> WorkerFile:
    """A file or folder that is on the worker already, as an input of :func:`command`.

    Parameters
    ----------
    path
        Absolute, on the worker.
    copy
        Copy it there into the folder of the job, which may then change it; otherwise a link leads to it.

    Raises
    ------
    InvalidFlow
        The path is not absolute.
    """
    text = str(path)
    if not text.startswith("/") or "\0" in text:
        raise InvalidFlow(f"{text!r} is no absolute path; nobody knows from where on it is meant on the worker")
    return WorkerFile(text, copy)


def is_command(job: Job) -> bool:
    """Whether a job was made by :func:`command`."""
    return job.function is run_command


def command_payload(job: Job) -> bytes:
    """Payload of a command job for the worker's side, which knows nothing of jobflow.

    ``{"argv": [...]} or {"shell": text}``, and ``inputs`` (``{name: text, {"base64": ...} or {"path": ...}}``),
    ``outputs``, ``environment``, ``success_exit_codes``. Serialized references to outputs may stand in place of an
    element of ``argv`` and of values of ``inputs`` and ``environment``.

    Raises
    ------
    InvalidFlow
        The arguments were changed to something that a command cannot have.
    """
    encoder = Encoder()
    try:
        payload = encode(encoder.encode(job.function_kwargs))
    except UnwritableValue as error:
        raise InvalidFlow(f"command {job.name!r} ({job.uuid}): {error}") from error
    if not encoder.plain or job.function_args or _is_special(job):
        raise InvalidFlow(
            f"command {job.name!r} ({job.uuid}) has arguments, output settings or reference settings that only Python "
            "jobs have; run it from a @job function with subprocess instead"
        )
    return payload


def run_command(
    *,
    argv: Sequence[Any] | None = None,
    shell: str | None = None,
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    environment: Mapping[str, Any],
    success_exit_codes: Sequence[int],
    values: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Run a command in the current folder, as `jobflow.run_locally` does.

    Raises
    ------
    WorkerError
        It cannot be started, ends with an exit code that does not mean success, or leaves no file for a pattern.
    """
    for name, content in inputs.items():
        _write_input(Path(_file_name(name)), content)
    words = ["/bin/sh", "-c", shell] if shell is not None else [_word(item) for item in argv or ()]
    variables = os.environ | {key: _word(value) for key, value in environment.items()}
    try:
        done = subprocess.run(words, env=variables, capture_output=True, check=False)
    except OSError as error:
        raise WorkerError(f"{words[0]} cannot be started: {error.strerror}; check that it is installed") from error
    if done.returncode not in success_exit_codes:
        ended = f"exit code {done.returncode}" if done.returncode >= 0 else f"signal {-done.returncode}"
        tail = _tail(done.stderr).strip()
        raise WorkerError(f"{shell or ' '.join(words)} ended with {ended}" + (f": {tail}" if tail else ""))
    output = {
        "exit_code": done.returncode,
        "signal": None,
        "files": {name: _file_entry(name) for pattern in outputs for name in _matches(pattern)},
        "stdout_tail": _tail(done.stdout),
        "stderr_tail": _tail(done.stderr),
        "run_dir": str(Path.cwd()),
    }
    if values:
        output["values"] = {name: _value(name, rule, done.stdout) for name, rule in values.items()}
    return output


def _rule(name: str, rule: str | Mapping[str, Any]) -> dict[str, Any]:
    found = {"pattern": rule} if isinstance(rule, str) else dict(rule)
    try:
        check_value(name, found)
    except UnusableCommand as error:
        raise InvalidFlow(str(error)) from error
    return found


def _value(name: str, rule: Mapping[str, Any], printed: bytes) -> Any:
    try:
        return value_in(Path(rule["file"]).read_bytes() if rule.get("file") else printed, name, rule)
    except (UnusableCommand, OSError) as error:
        raise WorkerError(f"{error}; look at what is in {Path.cwd()}") from error


def _file_name(name: str) -> str:
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    if not parts or parts[0] == "/" or ".." in parts or "\0" in name:
        raise InvalidFlow(f"{name!r} is no file inside the folder of the job; give a relative path without '..'")
    if name.startswith("$"):
        # A mapping with such a key means something else in the documents of jobs.
        raise InvalidFlow(f"the file name {name!r} begins with $, which files of a command cannot; write './{name}'")
    return name


def _write_input(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Mapping) and isinstance(content.get("path"), str):
        if content.get("link"):
            path.symlink_to(content["path"])
        elif Path(content["path"]).is_dir():
            shutil.copytree(content["path"], path)
        else:
            shutil.copy(content["path"], path)
        return
    if isinstance(content, Mapping) and content.keys() == {"base64"}:
        data = base64.b64decode(content["base64"])
    else:
        data = _word(content).encode()
    path.write_bytes(data)
    if data.startswith(b"#!"):
        path.chmod(0o755)


def _matches(pattern: str) -> list[str]:
    if Path(pattern).is_file():  # a name may contain what looks like a pattern
        return [pattern]
    names = sorted(path.as_posix() for path in Path().glob(_file_name(pattern)) if path.is_file())
    if not names:
        raise WorkerError(f"no file matches the declared output {pattern!r}; look at what is in {Path.cwd()}")
    return names


def _file_entry(name: str) -> dict[str, Any]:
    path = Path.cwd() / name
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path), "size_bytes": path.stat().st_size, "sha256": digest}


def _tail(stream: bytes) -> str:
    return stream[-_TAIL_BYTES:].decode(errors="replace")


def _several(values: Iterable[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def _variable(name: str) -> str:
    if not isinstance(name, str) or not name or "=" in name or "\0" in name:
        raise InvalidFlow(f"{name!r} is no name of an environment variable")
    return name


def _argument(value: Any) -> Any:
    if isinstance(value, OutputReference):
        return value
    if isinstance(value, PurePath):
        return _text(str(value))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise InvalidFlow(
        f"{value!r} cannot be an argument or a variable of a command; give text, a number, a path or an output of a job"
    )


def _text(value: str) -> str:
    if "OutputReference(" in value:
        raise InvalidFlow(
            f"{value!r} has the output of a job inside a text, where its value is not known yet; give the output as an "
            'argument of its own, or in `environment` and use it as "$NAME"'
        )
    if "\0" in value:
        raise InvalidFlow(f"{value!r} has a null character, which no command can be given")
    return value


def _content(name: str, value: Any) -> Any:
    if isinstance(value, str | OutputReference):
        return value
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, PurePath):
        return {"path": str(Path(value).absolute())}
    if isinstance(value, WorkerFile):
        return {"path": value.path, "on_worker" if value.is_copied else "link": True}
    raise InvalidFlow(
        f"the content of input {name!r} is a {type(value).__name__}; give text, bytes, a Path, worker_file(path) or "
        "the output of a job"
    )


def _word(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _is_special(job: Job) -> bool:
    unresolved = job.config.resolve_references is not True or job.config.on_missing_references == OnMissing.PASS
    return unresolved or bool(job._kwargs) or job.output_schema is not None
