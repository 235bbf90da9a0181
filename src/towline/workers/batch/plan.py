"""What a batch worker is made from, and the run folders of its jobs."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from towline.core.records import Assignment, ShellSetup
from towline.core.resources import split_resources
from towline.core.run_folder import JOB_FILE, SCRIPT_FILE, path_in_work_dir
from towline.errors import InvalidRequest
from towline.on_worker import command
from towline.on_worker.attempts import Mode
from towline.on_worker.batch.needs import need_of, processes_of, threads_of
from towline.on_worker.batch.spool import ENTRY_FILE, Entry
from towline.on_worker.command_inputs import Written, inputs
from towline.workers.local import DEFAULT_PRELOAD
from towline.workers.plans import Plan, plan, python_words
from towline.workers.remote.folders import Prepared, submission_of
from towline.workers.remote.queues import Queue
from towline.workers.schedulers.shell import read_resources, script, seconds
from towline.workers.transports.transport import Content, Source, Tree


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How a batch worker uses its scheduler."""

    #: What starts the allocations.
    queue: Queue
    #: Folder of the spool, and of the allocations, on the worker.
    spool: str
    allocations: str
    #: Allocations at the same time, those that wait in the queue included.
    max_allocations: int
    #: Resources of an allocation, and the shell lines around its pilot.
    resources: Mapping[str, Any] = field(default_factory=dict)
    shell: ShellSetup = field(default_factory=ShellSetup)
    #: How jobs run that ask for nothing else: `warm` or `cold`.
    execution: str = "warm"
    preload: tuple[str, ...] = ()
    #: Jobs at the same time in an allocation; None is one for each processor.
    parallel_jobs: int | None = None
    #: Jobs that an allocation is expected to run at the same time, as long as none has told.
    expected_jobs: int = 1
    max_jobs_per_batch: int | None = None
    max_time: float | None = None
    max_wait: float = 60.0
    sleep_time: float = 1.0
    grace_seconds: float = 10.0
    #: Time limit of an allocation, in seconds, where the resources name one.
    time_limit: float | None = None

    @property
    def modules(self) -> tuple[str, ...]:
        """What a pilot imports."""
        return () if self.execution == "cold" else (*DEFAULT_PRELOAD, *self.preload)


def prepare_job(
    assignment: Assignment, work_dir: str, python: str, batch: BatchPlan, execution_cmd: str | None
) -> Prepared:
    """The run folder of a job: as on this machine, with its entry for the spool.

    Raises
    ------
    InvalidRequest
        The resources mean nothing to a batch worker, a variable or a path cannot be used, or an input is not there.
    """
    on_one = resources_of_job(assignment.resources)
    how = plan(replace(assignment, resources=on_one), batch.execution, execution_cmd)
    if how.mode is Mode.POOL:
        raise InvalidRequest("the resource execution is 'pooled', which is possible on this machine only; leave it out")
    files: dict[str, Source] = {JOB_FILE: assignment.package}
    words, variables = python_words(python, execution_cmd, assignment.run_dir), {}
    if assignment.payload_kind == "command":
        found = command.parse(assignment.package)
        command.check(found)
        written = [item for item in inputs(found) if isinstance(item, Written)]
        files.update({item.name: Content(item.data, item.mode | 0o066) for item in written if item.data is not None})
        empty = tuple(shlex.join(["mkdir", "-p", "--", f"./{item.name}"]) for item in written if item.data is None)
        if empty:
            how = replace(how, mode=Mode.SCRIPT, shell=replace(how.shell, pre_run=(*empty, *how.shell.pre_run)))
        words, variables = command.arguments(found), dict(command.environment(found))
    if how.mode is Mode.SCRIPT:
        text = script(
            assignment.run_dir,
            words,
            how.shell,
            variables=variables,
            job_name=how.resources.job_name or assignment.name,
            verbatim=how.resources.qverbatim,
        )
        files[SCRIPT_FILE] = Content(text.encode(), 0o777)
    files[ENTRY_FILE] = entry_file(assignment, how)
    return Prepared(Tree(path_in_work_dir(assignment.run_dir, work_dir), files), submission_of(assignment))


def resources_of_job(resources: Mapping[str, Any]) -> dict[str, Any]:
    """What the resources of a job ask for on each of its nodes, in the words of the shell.

    Raises
    ------
    InvalidRequest
        They mean nothing to a batch worker.
    """
    # Nothing but a count has a place here; several nodes mean nothing to a shell, but much to pilots.
    counts = {name: value for name in _COUNTS if (value := resources.get(name)) is not None}
    split_resources({"processes": 1, **counts})
    on_one = {name: value for name, value in resources.items() if name != "nodes"}
    read_resources(on_one)
    return on_one


def entry_file(assignment: Assignment, how: Plan) -> bytes:
    """Name and content of the entry of a job."""
    need = need_of(
        assignment.resources,
        memory_gigabytes=how.resources.memory_gigabytes,
        time_limit=how.resources.time_limit,
    )
    entry = Entry.of(submission_of(assignment).mark, priority=assignment.priority, job_id=assignment.job_id, need=need)
    message = {**how.message(assignment), "has_package": False, "again": False}
    if need.cores > 1 or need.nodes > 1:
        message |= {"processes": processes_of(assignment.resources), "threads": threads_of(assignment.resources)}
    return entry.name.encode() + b"\n" + orjson.dumps(message) + b"\n"


#: Words for the number of nodes, for the processes in all or on each node, and for the processors of each process.
_NODES, _ALL, _EACH, _WIDTH = (
    ("nodes",),
    ("processes", "ntasks"),
    ("processes_per_node", "ntasks_per_node"),
    ("threads_per_process", "cpus_per_task"),
)
_COUNTS = ("nodes", "processes", "processes_per_node", "threads_per_process", "gpus_per_job")
_LIMITS = ("time_limit", "time", "walltime")


def expected_jobs(resources: Mapping[str, Any], usual: int) -> int:
    """How many processors an allocation has, as far as its resources say; `usual` where they say nothing."""
    nodes, whole, each, width = (_number(resources, words) for words in (_NODES, _ALL, _EACH, _WIDTH))
    if whole is None and each is None and width is None:
        return usual
    return (whole or (each or 1) * (nodes or 1)) * (width or 1)


def time_limit_of(resources: Mapping[str, Any]) -> float | None:
    """The time limit of an allocation in seconds, where its resources name one that can be read."""
    for word in _LIMITS:
        value = resources.get(word)
        if value is None:
            continue
        # A number of minutes is a word of Slurm, whose own answer counts then.
        if word != "time_limit" and isinstance(value, int | float):
            return None
        try:
            return seconds(value)
        except InvalidRequest:
            return None
    return None


def _number(resources: Mapping[str, Any], words: tuple[str, ...]) -> int | None:
    found = next((resources[word] for word in words if resources.get(word) is not None), None)
    return int(found) if found is not None and str(found).isdigit() else None
