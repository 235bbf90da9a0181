"""The shell as a scheduler: which resources it understands, and the script of a job that needs a shell."""

import difflib
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from towline.core.records import ShellSetup
from towline.errors import InvalidRequest

_EXECUTIONS = ("warm", "cold", "pooled")
#: What a job asks of a scheduler that shares out machines; the one machine that there is has it anyway.
_NO_MATTER = frozenset(
    {
        *("processes", "processes_per_node", "threads_per_process", "process_placement", "gpus_per_job"),
        *("queue_name", "account", "project", "qos", "priority", "email_address", "rerunnable"),
    }
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_DURATION = re.compile(r"(?:(\d+)-)?(\d+):(\d{1,2}):(\d{1,2}(?:\.\d+)?)\Z")


@dataclass(frozen=True, slots=True)
class ShellResources:
    """What a job may ask of the shell scheduler."""

    #: Seconds after which the job is ended.
    time_limit: float | None = None
    #: Memory that the job may take, in gigabytes of 1024³ bytes; more than that it is not given.
    memory_gigabytes: float | None = None
    #: `warm`, `cold` or `pooled`, in place of what the worker does.
    execution: str | None = None
    #: A name for people; it stands in the script.
    job_name: str | None = None
    #: Files for standard output and error, relative to the run folder, in place of queue.out and queue.err.
    qout_path: str | None = None
    qerr_path: str | None = None
    #: Lines for the top of the script.
    qverbatim: str | None = None


def read_resources(resources: Mapping[str, Any]) -> ShellResources:
    """The resources of a job. Portable ones that concern several jobs or machines have no effect.

    Raises
    ------
    InvalidRequest
        A key or a value means nothing to this scheduler.
    """
    known = ShellResources.__dataclass_fields__
    given = {key: value for key, value in resources.items() if value not in (None, {}) and not key.startswith("@")}
    nodes = given.pop("nodes", 1)
    if str(nodes) != "1":
        raise InvalidRequest(f"the resource 'nodes' is {nodes!r}, and the shell scheduler has one machine; ask for 1")
    given = {key: value for key, value in given.items() if key not in _NO_MATTER}
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.5)
            meant = f"; did you mean {near[0]!r}?" if near else "."
            raise InvalidRequest(
                f"the shell scheduler does not know the resource {key!r}{meant} It knows {', '.join(known)}"
            )
    execution = given.get("execution")
    if execution not in (None, *_EXECUTIONS):
        raise InvalidRequest(f"the resource execution is {execution!r}; it should be one of {', '.join(_EXECUTIONS)}")
    for key in ("job_name", "qout_path", "qerr_path", "qverbatim"):
        if not isinstance(given.get(key), str | None):
            raise InvalidRequest(f"the resource {key} is {given[key]!r}; it should be text")
    memory = given.get("memory_gigabytes")
    if memory is not None and (isinstance(memory, bool) or not isinstance(memory, int | float) or not 0 < memory < 1e6):
        raise InvalidRequest(f"the resource memory_gigabytes is {memory!r}; give a number of gigabytes above 0")
    limit = given.pop("time_limit", None)
    return ShellResources(**given, time_limit=None if limit is None else seconds(limit))


def seconds(value: object) -> float:
    """A time limit in seconds, from a number, ``HH:MM:SS``, ``D-HH:MM:SS`` or a timedelta.

    Raises
    ------
    InvalidRequest
        It is none of these, or not positive.
    """
    found: float | None = None
    if isinstance(value, timedelta):
        found = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    elif isinstance(value, str) and (match := _DURATION.match(value.strip())):
        days, hours, minutes, rest = match.groups()
        found = int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(rest)
    if found is None or not math.isfinite(found) or found <= 0:
        raise InvalidRequest(
            f"the resource time_limit is {value!r}; give seconds as a number, 'HH:MM:SS' or 'D-HH:MM:SS'"
        )
    return found


def script(
    run_dir: str,
    command: Sequence[str],
    setup: ShellSetup,
    *,
    variables: Mapping[str, str] | None = None,
    job_name: str | None = None,
    verbatim: str | None = None,
    last: Sequence[str] = (),
) -> str:
    """The script of a job. Its exit code is that of the command, and post_run runs also after a failure.

    Parameters
    ----------
    command
        Program and arguments; quoted here and nowhere else.
    setup
        Lines of the worker and of the execution configuration around the command.
    variables
        Further variables, on top of those of `setup`.
    verbatim
        Lines for the top of the script.
    last
        Lines after post_run; they end by themselves.

    Raises
    ------
    InvalidRequest
        A variable has a name that the shell does not take.
    """
    exports = {**setup.export, **(variables or {})}
    check_variables(exports)
    lines = ["#!/bin/bash"]
    if job_name:
        lines.append(f"# {' '.join(job_name.split())}")
    lines += [verbatim] if verbatim else []
    lines.append(f"cd -- {shlex.quote(run_dir)} || exit 1")
    if setup.post_run or last:
        lines += _finally(setup.post_run, last)
    lines += setup.pre_run
    lines += [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    lines += [f"module load {shlex.quote(module)} || exit 1" for module in setup.modules]
    lines += [shlex.join(command), "exit"]
    return "\n".join(lines) + "\n"


def _finally(post_run: Sequence[str], last: Sequence[str]) -> list[str]:
    # In a subshell, because an `exit` in it must not change the exit code of the job.
    user_lines = ["( :", *post_run, ")"] if post_run else []
    return [
        "towline_finish() {",
        "towline_exit_code=$?",
        "trap - EXIT",
        *user_lines,
        # Whatever the job or the user has set.
        "set +eu",
        *last,
        'exit "$towline_exit_code"',
        "}",
        "trap towline_finish EXIT",
        "trap 'exit 129' HUP",
        "trap 'exit 130' INT",
        "trap 'exit 143' TERM",
    ]


def check_variables(variables: Mapping[str, str]) -> None:
    """Refuse what cannot be a variable of a process.

    Raises
    ------
    InvalidRequest
        A name is none, or a value has a null character.
    """
    for name, value in variables.items():
        if not _VARIABLE.match(name):
            raise InvalidRequest(f"{name!r} is no name of a variable; use letters, digits and underscores")
        if "\0" in value:
            raise InvalidRequest(f"the variable {name} has a null character in its value; remove it")
