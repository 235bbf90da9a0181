"""Making the run folder of a job on this machine."""

import contextlib
import os

from towline.core.records import Assignment
from towline.core.run_folder import JOB_FILE, SCRIPT_FILE, STARTED_FILE
from towline.on_worker import command
from towline.on_worker.attempt_files import write, write_whole
from towline.on_worker.attempts import Mode
from towline.workers.plans import Plan, python_words
from towline.workers.schedulers.shell import script


def upload(assignment: Assignment, plan: Plan, python: str, execution_cmd: str | None = None) -> None:
    """Make the run folder of an attempt with everything that it needs; leave one that was started as it is.

    Raises
    ------
    InvalidRequest
        The payload names a file outside of the folder, or cannot be read.
    OSError
        A file cannot be written, or one that is to be copied is not there.
    """
    run_dir = assignment.run_dir
    if not _make_folder(run_dir) and os.path.exists(f"{run_dir}/{STARTED_FILE}"):  # noqa: PTH110 - see attempt_files
        return
    words, variables = python_words(python, execution_cmd, run_dir), {}
    if assignment.payload_kind == "command":
        found = command.parse(assignment.package)
        command.check(found)
        # A reference that leads nowhere is found again when the job starts, which is where it is told.
        with contextlib.suppress(command.MissingOutput):
            command.put_inputs(found, run_dir)
            words, variables = command.arguments(found), command.environment(found)
    if plan.mode is Mode.SCRIPT:
        text = script(
            run_dir,
            words,
            plan.shell,
            variables=variables,
            job_name=plan.resources.job_name or assignment.name,
            verbatim=plan.resources.qverbatim,
        )
        write_whole(f"{run_dir}/{SCRIPT_FILE}", text.encode())
    # Nobody reads it before the job is submitted, and an upload that was interrupted is repeated.
    write(f"{run_dir}/{JOB_FILE}", assignment.package)


def _make_folder(run_dir: str) -> bool:
    """Make the folder; False when it was there."""
    try:
        os.mkdir(run_dir)  # noqa: PTH102 - see attempt_files
    except FileNotFoundError:
        os.makedirs(run_dir, exist_ok=True)  # noqa: PTH103
    except FileExistsError:
        return False
    return True
