"""Values that travel between the rings: what is submitted, what is assigned to a worker, what came of it.

Two of them also travel as files, in JSON lines: the first line is a header, every further line one JSON document that
nobody on the way has to decode.

``job.jsonl``
    header, payload, then the output of each parent that the payload refers to, in the order of ``references`` in the
    header. Written by :func:`pack_job`.
``result.jsonl``
    header, then the output document (when ``has_output``), then the documents for additional stores in the order of
    ``additional`` in the header, then the payloads of new jobs in the order replace, addition, detour, and last the
    document about the environment, if there is one. Written by :func:`pack_result`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

#: Version of both file formats; a reader refuses what is newer.
FORMAT_VERSION = 1

#: Key in the settings of a job: what its policy has done so far, and what its present attempt is for. ``used``: how
#: often each rule was used; ``continue``: folder and patterns of files to bring along; ``handling``: the failure that a
#: handler is asked about. Goes away when the user asks for the job again.
AUTOMATIC = "automatic"

#: Kind of payload of an attempt that asks the handler of a job.
HANDLER = "handler"

#: Kind of payload of a step that waits for a person, and the worker of these: no runner has a worker of that name.
HOLD = "hold"
PERSON = "(person)"


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it enters the queue, at submission or from a running job."""

    #: Identity, together with `index`.
    uuid: str
    name: str
    #: What kind of work this is; names the runner of the payload on the worker's side: "jobflow" or "command".
    payload_kind: str
    #: The work itself, one JSON document that the queue never decodes.
    payload: bytes
    #: Number of the replacement, from 1.
    index: int = 1
    #: Uuids of the jobs that have to finish first (their newest index), in this flow or already in the queue.
    parents: tuple[str, ...] = ()
    #: Uuids among the parents whose output the payload refers to.
    references: tuple[str, ...] = ()
    #: Whether a FAILED or USER_STOPPED parent counts as finished (jobflow's on_missing `none` and `pass`).
    accepts_failed_parents: bool = False
    #: Worker, or None to inherit (from the submission, or from the job that made this one).
    worker: str | None = None
    #: Higher runs first; None inherits, 0 is a value.
    priority: int | None = None
    #: Resources for the scheduler; None inherits, an empty mapping means explicitly none.
    resources: Mapping[str, Any] | None = None
    #: Name of an execution configuration of the project, or the configuration itself; None inherits.
    exec_config: str | Mapping[str, Any] | None = None
    #: The job's own metadata (jobflow `Job.metadata`).
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: Uuids of the flows that contain the job, innermost first.
    hosts: tuple[str, ...] = ()
    #: Names of the additional stores that parts of the output go to.
    additional_stores: tuple[str, ...] = ()
    #: When it runs again by itself after a failure (:mod:`towline.core.retry_policy`); None inherits, empty is never.
    retry: Mapping[str, Any] | None = None
    #: Folder on its worker that its run folders are in; None inherits, empty is the worker's own.
    work_dir: str | None = None


@dataclass(frozen=True, slots=True)
class NewFlow:
    """A flow as it enters the queue."""

    uuid: str
    name: str
    jobs: tuple[NewJob, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: Name of the optional job store for its outputs; None is the project's own.
    jobstore: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed or an action of the runner did."""

    #: One of: error, exit_code, signal, timeout, out_of_memory, node_failure, preempted, interrupted, cancelled,
    #: vanished, not_started, output, rejected.
    reason: str
    #: A sentence for the user.
    message: str
    #: Python traceback or the end of stderr, when there is one.
    details: str | None = None
    #: The ends of what the job printed, where it ran in a folder.
    queue_out: str | None = None
    queue_err: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a payload left behind, read from ``result.jsonl``."""

    failure: Failure | None = None
    #: The output document (jobflow's JobStoreDocument) as JSON, or None when there is none.
    output: bytes | None = None
    #: ``(store name, document)`` of what goes to additional stores.
    additional: tuple[tuple[str, bytes], ...] = ()
    stored_data: Mapping[str, Any] | None = None
    stop_children: bool = False
    stop_jobflow: bool = False
    #: New jobs of the response. One of `replace` may carry the uuid of the job and its index + 1.
    replace: tuple[NewJob, ...] = ()
    addition: tuple[NewJob, ...] = ()
    detour: tuple[NewJob, ...] = ()
    #: Facts for provenance: versions of Python, towline, jobflow, host, and the hash of the document below as `id`.
    environment: Mapping[str, Any] = field(default_factory=dict)
    #: Everything that was installed there, as JSON; the same for all jobs of an environment, and kept once.
    environment_document: bytes = b""


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """How the process of a job ended; the content of ``exit.json``."""

    #: Exit code, or None when a signal ended the process or nobody saw its end.
    exit_code: int | None
    #: Number of the signal that ended the process.
    signal: int | None
    #: One of: exited, signal, timeout, out_of_memory, node_failure, preempted, interrupted (the allocation of a batch
    #: worker ended), cancelled, vanished (gone, and nobody saw how), not_started.
    reason: str
    #: Seconds since the epoch, by the clock of the worker.
    started_at: float | None
    ended_at: float
    host: str
    #: Largest resident set of the process, in bytes, when the system told.
    peak_memory_bytes: int | None = None
    #: User plus system time of the process, in seconds, when the system told.
    cpu_seconds: float | None = None
    #: A sentence when the process could not be started or was ended by us.
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt of one job, as handed to a worker."""

    job_id: int
    uuid: str
    index: int
    attempt: int
    name: str
    payload_kind: str
    #: Content of ``job.jsonl``.
    package: bytes
    #: Absolute path of the run folder on the worker.
    run_dir: str
    priority: int = 0
    resources: Mapping[str, Any] = field(default_factory=dict)
    #: Modules, exports, pre_run and post_run that apply to the job, worker and exec_config merged.
    shell: "ShellSetup | None" = None
    #: True when this attempt may already have been handed over (after a crash of the runner).
    again: bool = False
    #: Whether its run folder is known to have been on the worker, by an earlier runner.
    placed: bool = False

    @property
    def key(self) -> str:
        """Identity of the attempt on the worker: ``<db id>.<attempt>``."""
        return f"{self.job_id}.{self.attempt}"


@dataclass(frozen=True, slots=True)
class ShellSetup:
    """Shell lines around a job. An empty one lets the job start without a shell."""

    #: Lines before everything, the worker's first.
    pre_run: tuple[str, ...] = ()
    export: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    #: Lines after the job, the worker's first.
    post_run: tuple[str, ...] = ()

    @property
    def needs_shell(self) -> bool:
        """Whether a script is needed: anything but exports."""
        return bool(self.pre_run or self.modules or self.post_run)


@dataclass(frozen=True, slots=True)
class FileElsewhere:
    """A file that a job left on its worker, and that is used on another one."""

    worker: str
    #: Absolute, there.
    path: str
    size_bytes: int
    #: As hexadecimal digits.
    sha256: str


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One allocation of a batch worker. Times are seconds since the epoch."""

    uid: str
    worker: str
    #: Id of the scheduler, as soon as it is known.
    process_id: str | None
    #: SUBMITTED, RUNNING or FINISHED.
    state: str
    #: Absolute path on the worker.
    folder: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    #: The newest sign of life of its pilots.
    pinged_at: float | None = None
    #: Why it ended, as in an exit record.
    reason: str | None = None
    #: How many jobs its pilots ran to their ends.
    jobs_ended: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that a worker saw. `key` is :attr:`Assignment.key`."""

    key: str
    #: One of: uploaded, submitted, started, ended, downloaded, cancelled, returned, step_failed.
    #: `returned`: the attempt certainly never started and will not; it may be claimed again.
    event: str
    #: Seconds since the epoch.
    at: float
    #: Process or scheduler id, with `submitted` and `started`.
    process_id: str | None = None
    #: With `ended`.
    exit: ExitRecord | None = None
    #: With `ended` of a pooled job, whose result needs no file: content of ``result.jsonl``.
    result: bytes | None = None
    #: With `ended` where the run folder is not on this machine: the end of what the job wrote to standard error.
    tail: str | None = None
    #: The same of standard output.
    output_tail: str | None = None
    #: With `step_failed`: what failed.
    failure: Failure | None = None
    #: With `step_failed`: False when repeating cannot help (a wrong configuration).
    may_retry: bool = True


def pack_job(header: Mapping[str, Any], payload: bytes, references: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Content of ``job.jsonl``.

    Parameters
    ----------
    header
        db_id, uuid, index, attempt, name, payload_kind, and what else the payload wants to know of its job.
    payload
        One JSON document without line breaks.
    references
        ``(uuid, index, output)`` of each finished parent; the output is one JSON document without line breaks.
    """
    whole = {
        **header,
        "format": FORMAT_VERSION,
        "references": [{"uuid": uuid, "index": index} for uuid, index, _ in references],
    }
    return b"\n".join([orjson.dumps(whole), payload, *(output for _, _, output in references), b""])


def unpack_job(content: bytes) -> tuple[dict[str, Any], bytes, dict[str, tuple[int, bytes]]]:
    """Header, payload and ``{uuid: (index, output)}`` from the content of ``job.jsonl``."""
    lines = content.split(b"\n")
    header = orjson.loads(lines[0])
    _check_format(header, "job.jsonl")
    outputs = {
        reference["uuid"]: (reference["index"], lines[2 + position])
        for position, reference in enumerate(header["references"])
    }
    return header, lines[1], outputs


def pack_result(result: Result) -> bytes:
    """Content of ``result.jsonl``."""
    new_jobs = {kind: getattr(result, kind) for kind in ("replace", "addition", "detour")}
    header = {
        "format": FORMAT_VERSION,
        "failure": None if result.failure is None else asdict(result.failure),
        "has_output": result.output is not None,
        "additional": [store for store, _ in result.additional],
        "stored_data": result.stored_data,
        "stop_children": result.stop_children,
        "stop_jobflow": result.stop_jobflow,
        "environment": result.environment,
        **{
            kind: [asdict(replace(job, payload=b"")) | {"payload": None} for job in jobs]
            for kind, jobs in new_jobs.items()
            if jobs
        },
    }
    lines = [orjson.dumps(header, option=orjson.OPT_NON_STR_KEYS)]
    if result.output is not None:
        lines.append(result.output)
    lines.extend(document for _, document in result.additional)
    lines.extend(job.payload for jobs in new_jobs.values() for job in jobs)
    if result.environment_document:
        lines.append(result.environment_document)
    lines.append(b"")
    return b"\n".join(lines)


def unpack_result(content: bytes) -> Result:
    """The result in the content of ``result.jsonl``."""
    lines = content.split(b"\n")
    header = orjson.loads(lines[0])
    _check_format(header, "result.jsonl")
    rest = iter(lines[1:])
    return Result(
        failure=None if header["failure"] is None else Failure(**header["failure"]),
        output=next(rest) if header["has_output"] else None,
        additional=tuple((store, next(rest)) for store in header["additional"]),
        stored_data=header["stored_data"],
        stop_children=header["stop_children"],
        stop_jobflow=header["stop_jobflow"],
        environment=header["environment"],
        replace=_new_jobs(header.get("replace", ()), rest),
        addition=_new_jobs(header.get("addition", ()), rest),
        detour=_new_jobs(header.get("detour", ()), rest),
        # Whoever has none ends here.
        environment_document=next(rest, b""),
    )


def _new_jobs(records: Sequence[dict[str, Any]], payloads: Any) -> tuple[NewJob, ...]:
    tuples = ("parents", "references", "hosts", "additional_stores")
    return tuple(
        NewJob(**{**record, "payload": next(payloads)} | {name: tuple(record[name]) for name in tuples})
        for record in records
    )


def _check_format(header: Mapping[str, Any], name: str) -> None:
    if header.get("format") != FORMAT_VERSION:
        raise ValueError(f"{name} has format {header.get('format')!r}; this towline reads format {FORMAT_VERSION}")
