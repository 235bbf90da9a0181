"""How a job is run on this machine: decided from its payload, its resources and the shell lines around it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from towline.core.records import Assignment, ShellSetup
from towline.on_worker.attempts import Mode
from towline.on_worker.run_job import command_line
from towline.workers.schedulers.shell import ShellResources, check_variables, read_resources

#: Variables that an interpreter or a library reads when it starts: a fork of a process that has started is too late.
_READ_AT_START = (
    "PYTHON",
    "LD_",
    "DYLD_",
    "OMP_",
    "KMP_",
    "MKL_",
    "OPENBLAS_",
    "BLIS_",
    "NUMEXPR_",
    "VECLIB_",
    "MALLOC_",
    "GLIBC_",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How an attempt is run."""

    mode: Mode
    resources: ShellResources
    shell: ShellSetup

    def message(self, assignment: Assignment) -> dict[str, Any]:
        """What the pilot is told about the attempt."""
        return {
            "key": assignment.key,
            "run_dir": assignment.run_dir,
            "mode": self.mode.value,
            "payload_kind": assignment.payload_kind,
            "job_id": assignment.job_id,
            "priority": assignment.priority,
            "export": self.shell.export,
            "time_limit_seconds": self.resources.time_limit,
            "output": self.resources.qout_path or "",
            "error": self.resources.qerr_path or "",
            "again": assignment.again,
            # The pilot needs the content where it has no process that reads it from the folder.
            "has_package": self.mode is Mode.POOL or assignment.payload_kind == "command",
        }


def python_words(python: str, execution_cmd: str | None, run_dir: str) -> list[str]:
    """The command of a Python job whose attempt is claimed.

    Parameters
    ----------
    execution_cmd
        Shell line of the user that takes the place of the interpreter; ``{}`` in it is the run folder.
    """
    if execution_cmd is None:
        return command_line(python, run_dir)
    # The words of the user are for the shell, as the lines of pre_run are; the folder is an argument.
    return ["/bin/bash", "-c", execution_cmd.replace("{}", '"$1"'), "towline", run_dir]


def plan(assignment: Assignment, execution: str, execution_cmd: str | None = None) -> Plan:
    """How to run an attempt.

    Parameters
    ----------
    execution
        What the worker does with jobs that ask for nothing else: `warm`, `cold` or `pooled`.
    execution_cmd
        Shell line of the worker that runs its Python jobs, if there is one.

    Raises
    ------
    InvalidRequest
        The resources or variables of the job mean nothing here.
    """
    resources = read_resources(assignment.resources)
    shell = assignment.shell or ShellSetup()
    check_variables(shell.export)
    if execution_cmd is not None and assignment.payload_kind != "command":
        return Plan(Mode.SCRIPT, resources, shell)
    return Plan(_mode(assignment.payload_kind, resources, shell, execution), resources, shell)


def _mode(payload_kind: str, resources: ShellResources, shell: ShellSetup, execution: str) -> Mode:
    if shell.needs_shell or resources.qverbatim:
        return Mode.SCRIPT
    if payload_kind == "command":
        return Mode.COMMAND
    wanted = resources.execution or execution
    if wanted == "cold" or needs_new_interpreter(shell.export):
        return Mode.COLD
    return Mode.POOL if wanted == "pooled" else Mode.FORK


def needs_new_interpreter(export: Mapping[str, str]) -> bool:
    """Whether one of the variables is read only when an interpreter or a library starts."""
    return any(name.startswith(_READ_AT_START) for name in export)
