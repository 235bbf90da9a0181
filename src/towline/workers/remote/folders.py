"""From an assignment to the run folder of a job on the other side, and to its submission."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from towline.core.records import Assignment, ShellSetup
from towline.core.run_folder import JOB_FILE, SCRIPT_FILE, output_files, path_in_work_dir
from towline.errors import InvalidRequest
from towline.on_worker import command
from towline.on_worker.command_inputs import Written, inputs
from towline.on_worker.isolation import JOB_VARIABLE, RUN_DIR_VARIABLE
from towline.workers.environments.expectation import Expectation
from towline.workers.plans import python_words
from towline.workers.remote import job_scripts
from towline.workers.remote.queues import Queue
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.remote.value_files import value_lines
from towline.workers.schedulers.scheduler import BatchScript, Submission, mark
from towline.workers.transports.transport import Content, Source, Tree

#: Where a scheduler puts what it spooled: nothing but its own words.
_SPOOLED = {"qout_path": "towline_scheduler.out", "qerr_path": "towline_scheduler.err"}


@dataclass(frozen=True, slots=True)
class Site:
    """What the folders of a worker have in common."""

    worker: str
    work_dir: str
    queue: Queue
    #: Interpreter for Python jobs there.
    python: str
    #: Command that runs a Python job in place of `python`, for containers; ``{}`` stands for the run folder.
    execution_cmd: str | None = None
    #: What the environment of Python jobs has to have; None to let them go there unasked.
    expected: Expectation | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is sent for a job."""

    tree: Tree
    submission: Submission
    #: Of a Python job, the shell lines around it.
    python_setup: ShellSetup | None = None


def submission_of(assignment: Assignment) -> Submission:
    """The submission of an attempt; the same every time."""
    return Submission(assignment.run_dir, mark(assignment.uuid, assignment.index, assignment.attempt))


def prepare(assignment: Assignment, site: Site) -> Prepared:
    """The run folder of an attempt and its submission.

    Raises
    ------
    InvalidRequest
        The resources mean nothing to the scheduler, a variable or a path cannot be used, or an input is not there.
    """
    submission = submission_of(assignment)
    path = path_in_work_dir(assignment.run_dir, site.work_dir)
    if not isinstance(site.queue, ShellQueue):
        assignment = replace(assignment, package=_without_memory_limit(assignment.package))
    files: dict[str, Source] = {JOB_FILE: assignment.package}
    if assignment.payload_kind == "command":
        words, variables, (setup, last) = _command(assignment, site, files)
    else:
        words, variables = python_words(site.python, site.execution_cmd, assignment.run_dir), {}
        setup, last = _around(assignment, site, ())
    batch = BatchScript(
        run_dir=assignment.run_dir,
        mark=submission.mark,
        command=words,
        name=assignment.name,
        setup=setup,
        last=last,
        variables={**variables, JOB_VARIABLE: assignment.key, RUN_DIR_VARIABLE: assignment.run_dir},
        resources=_without_output(assignment.resources) if _prints_itself(assignment, site) else assignment.resources,
    )
    files[SCRIPT_FILE] = Content(site.queue.script(batch).encode(), 0o777)
    if isinstance(site.queue, ShellQueue):
        files[site.queue.extra_file] = site.queue.keeper_file(assignment.resources)
    python_setup = None if assignment.payload_kind == "command" else assignment.shell or ShellSetup()
    return Prepared(Tree(path, files), submission, python_setup)


def _without_memory_limit(package: bytes) -> bytes:
    """The job file without a limit of address space: the scheduler sees to the memory, and tells used from reserved."""
    line, separator, rest = package.partition(b"\n")
    header = orjson.loads(line)
    prelude = header.get("prelude") or {}
    if "memory_bytes" not in prelude:
        return package
    header["prelude"] = {key: value for key, value in prelude.items() if key != "memory_bytes"}
    return orjson.dumps(header) + separator + rest


def _without_output(resources: Mapping[str, Any]) -> dict[str, Any]:
    words = {key: value for key, value in resources.items() if key not in ("output_filepath", "error_filepath")}
    return {**words, **_SPOOLED}


def _command(
    assignment: Assignment, site: Site, files: dict[str, Source]
) -> tuple[list[str], Mapping[str, str], tuple[ShellSetup, tuple[str, ...]]]:
    found = command.parse(assignment.package)
    command.check(found)
    # The others the job brings itself, from where they are on its side.
    written = [item for item in inputs(found) if isinstance(item, Written)]
    files.update({item.name: Content(item.data, item.mode) for item in written if item.data is not None})
    empty = tuple(f"mkdir -p -- {shlex.quote(f'./{item.name}')}" for item in written if item.data is None)
    payload = found.payload
    patterns, codes = payload.get("outputs") or (), payload.get("success_exit_codes") or (0,)
    listing = job_scripts.output_lines(assignment.run_dir, patterns, codes) + value_lines(assignment.run_dir, found)
    return command.arguments(found), command.environment(found), _around(assignment, site, listing, empty)


def _around(
    assignment: Assignment, site: Site, listing: tuple[str, ...], before: tuple[str, ...] = ()
) -> tuple[ShellSetup, tuple[str, ...]]:
    """The shell lines around the job, with those of towline: first of all, and, apart, last of all."""
    given = assignment.shell or ShellSetup()
    if isinstance(site.queue, ShellQueue):
        return replace(given, pre_run=(*before, *given.pre_run)), listing
    printed = output_files(assignment.resources)
    tails = job_scripts.tail_lines(assignment.run_dir, *printed)
    if _prints_itself(assignment, site):
        before = (f"exec >>{shlex.quote(printed[0])} 2>>{shlex.quote(printed[1])}", *before)
    setup = replace(given, pre_run=(*job_scripts.started_lines(), *before, *given.pre_run))
    last = (*listing, *tails, *job_scripts.exit_lines(assignment.run_dir))
    return setup, _of_all_tasks(assignment, last)


def _prints_itself(assignment: Assignment, site: Site) -> bool:
    """Whether the script opens its output: it can be followed where it is spooled, and has that of all tasks."""
    return site.queue.spools_output or "array" in assignment.resources


def _of_all_tasks(assignment: Assignment, last: tuple[str, ...]) -> tuple[str, ...]:
    array = assignment.resources.get("array")
    if array is None:
        return last
    if assignment.payload_kind != "command":
        raise InvalidRequest(
            f"array={array} would run one function many times, and it has one result; submit a job for each: any "
            "number goes to the scheduler together, and max_jobs of the worker says how many at a time"
        )
    return job_scripts.array_lines(assignment.run_dir, job_scripts.array_tasks(str(array)), last)
