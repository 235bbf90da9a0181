"""From a jobflow flow to the records that the queue stores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from jobflow import Flow, Job, OnMissing
from monty.json import jsanitize

from towline.core.documents import STRICT, UnwritableValue, encode, path_text
from towline.core.records import HOLD, PERSON, NewFlow, NewJob
from towline.core.run_folder import checked_work_dir
from towline.errors import InvalidFlow, InvalidRequest
from towline.jobflow.command import command_payload, is_command
from towline.jobflow.graph import in_order, jobs_of, order_edges
from towline.jobflow.holds import hold_payload, is_hold
from towline.jobflow.job_document import JobWriter, WrittenJob
from towline.jobflow.local_modules import folders_beside_the_script, local_files
from towline.jobflow.main_module import (
    MainObjects,
    UnpicklableMain,
    can_be_sent,
    data_classes,
    give_main_its_name,
    is_installed,
)
from towline.jobflow.retry_settings import retry_of


def flow_to_records(
    flow: Flow | Job | Sequence[Flow | Job], *, allow_external_references: bool = False, jobstore: str | None = None
) -> NewFlow:
    """A flow as the queue stores it.

    Parameters
    ----------
    flow
        A flow, a job, or a list of jobs and flows; the latter two become a flow, as in jobflow. That of a single job
        has the name of the job.
    allow_external_references
        Whether jobs may refer to the output of jobs that are not in the flow. They become parents too.
    jobstore
        Name of the optional job store for the outputs; None is the project's own.

    Raises
    ------
    InvalidFlow
        A reference leads nowhere, jobs wait for each other, two have the same uuid, a value cannot be written down, or
        a function could not be found by another process. The message names the job, the argument and the remedy.
    """
    give_main_its_name()
    whole = _as_flow(flow)
    jobs = list(jobs_of(whole))
    if not jobs:
        raise InvalidFlow(f"flow {whole.name!r} ({whole.uuid}) has no jobs; add some")
    _check_names(whole, jobs)
    written = _write_all(jobs)
    references = {uuid: item.references for uuid, item in written.items()}
    if not allow_external_references:
        _check_inside(jobs, references)
    edges = order_edges(whole, references)
    parents = {uuid: (*found, *(edges.get(uuid, set()) - {*found})) for uuid, found in references.items()}
    by_uuid = {job.uuid: job for job in jobs}
    order = in_order(parents, {uuid: str(job.name) for uuid, job in by_uuid.items()})
    payloads = _payloads(by_uuid, written)
    return NewFlow(
        uuid=whole.uuid,
        name=whole.name,
        jobs=tuple(_new_job(by_uuid[uuid], payloads[uuid], parents[uuid], references[uuid]) for uuid in order),
        metadata=_plain_mapping(whole.metadata),
        jobstore=jobstore,
    )


@contextmanager
def unchanged_when_refused(flow: Flow | Job | Iterable[Flow | Job]) -> Iterator[Flow | Job | list[Flow | Job]]:
    """Give jobs back as they came when the block fails, so that they can be submitted again.

    Jobs that are submitted without a flow get one, and jobflow lets a job belong to one flow only. The block gets a
    list where jobs come one by one, as from a generator.
    """
    given = list(flow) if isinstance(flow, Iterable) and not isinstance(flow, Flow | Job) else flow
    loose = [] if isinstance(given, Flow) else given if isinstance(given, list) else [given]
    hosts = [(item, list(item.hosts)) for item in _with_all_inside(loose)]
    try:
        yield given
    except BaseException:
        for item, before in hosts:
            item.hosts[:] = before
        raise


def _with_all_inside(items: Iterable[object]) -> Iterator[Flow | Job]:
    for item in items:
        if isinstance(item, Flow | Job):
            yield item
        if isinstance(item, Flow):
            yield from _with_all_inside(item.jobs)


def _as_flow(flow: Flow | Job | Sequence[Flow | Job]) -> Flow:
    if isinstance(flow, Flow):
        return flow
    elements: list[Flow | Job] = [*flow] if isinstance(flow, Iterable) else [flow]
    strange = next((element for element in elements if not isinstance(element, Flow | Job)), None)
    if strange is not None:
        raise InvalidFlow(
            f"an object of type {type(strange).__name__} is neither a Flow nor a Job; submit what @job functions return"
        )
    try:
        return Flow(elements, name=str(flow.name)) if isinstance(flow, Job) else Flow(elements)
    except ValueError as error:
        raise InvalidFlow(
            f"{str(error).rstrip('.')}; submit the flow that the job belongs to, or make the job anew"
        ) from error


def _check_names(flow: Flow, jobs: Iterable[Job]) -> None:
    named: list[Flow | Job] = [flow, *jobs]
    for item in named:
        name = str(item.name)
        if "\0" in name or not _is_unicode(name):
            kind = "flow" if isinstance(item, Flow) else "job"
            told = f"the name {name!r} of a {kind} ({item.uuid})"
            raise InvalidFlow(f"{told} is no text that can be stored; give it another name")


def _is_unicode(text: str) -> bool:
    # Halves of letters that are written in two parts, as file names with bytes of another encoding have them.
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _write_all(jobs: Iterable[Job]) -> dict[str, WrittenJob]:
    writer = JobWriter()
    written: dict[str, WrittenJob] = {}
    for job in jobs:
        if job.uuid in written:
            raise InvalidFlow(f"two jobs of the flow have the uuid {job.uuid}, one of them {job.name!r}; make it anew")
        written[job.uuid] = writer.write(job)
    return written


def _check_inside(jobs: Iterable[Job], references: Mapping[str, Sequence[str]]) -> None:
    for job in jobs:
        for uuid in references[job.uuid]:
            if uuid not in references:
                raise InvalidFlow(
                    f"job {job.name!r} ({job.uuid}) uses the output of job {uuid}, which is not in the flow; add that "
                    "job, or submit with allow_external_references=True if it was submitted before"
                )


@dataclass(slots=True)
class _Surroundings:
    """What the payloads of one flow share."""

    main_objects: MainObjects
    #: Classes of the script that an output may bring to any job.
    data_classes: Mapping[str, object]
    folders: Sequence[str] | None = None

    def python_path(self) -> Sequence[str]:
        if self.folders is None:
            self.folders = folders_beside_the_script()
        return self.folders


def _payloads(jobs: Mapping[str, Job], written: Mapping[str, WrittenJob]) -> dict[str, bytes]:
    from_script = is_installed() or any(item.main for item in written.values())
    classes = {name: found for name, found in data_classes().items() if can_be_sent(found)} if from_script else {}
    surroundings = _Surroundings(MainObjects(), classes)
    local: dict[frozenset[str], dict[str, str]] = {}
    payloads = {}
    for uuid, item in written.items():
        if is_command(jobs[uuid]):
            payloads[uuid] = command_payload(jobs[uuid])
            continue
        if is_hold(jobs[uuid]):
            payloads[uuid] = hold_payload(jobs[uuid])
            continue
        modules = frozenset(item.modules)
        if modules not in local:
            local[modules] = local_files(modules)
        payloads[uuid] = _payload(jobs[uuid], item, local[modules], surroundings)
    return payloads


def _payload(job: Job, written: WrittenJob, files: Mapping[str, str], surroundings: _Surroundings) -> bytes:
    payload: dict[str, Any] = {"job": written.document}
    if written.plain:
        payload["plain"] = True
        if written.references:
            payload["refers"] = True
    main = {**surroundings.data_classes, **written.main} if written.references else written.main
    try:
        if main:
            payload["main_objects"] = surroundings.main_objects.encoded(main)
        if main or files:
            payload["python_path"] = surroundings.python_path()
            payload["local_modules"] = files
        return encode(payload)
    except UnwritableValue as error:
        # The path begins with "job", "function_args" and the like.
        place = path_text(error.path[1:])
        raise InvalidFlow(f"job {job.name!r} ({job.uuid}) cannot be stored: its {place} {error.reason}") from error
    except UnpicklableMain as error:
        raise InvalidFlow(f"job {job.name!r} ({job.uuid}) cannot be stored: {error}") from error


def _new_job(job: Job, payload: bytes, parents: Sequence[str], references: Sequence[str]) -> NewJob:
    config = job.config
    manager_config = config.manager_config or {}
    needs_outputs = config.resolve_references or config.expose_store
    return NewJob(
        uuid=job.uuid,
        name=str(job.name),
        payload_kind="command" if is_command(job) else HOLD if is_hold(job) else "jobflow",
        payload=payload,
        index=job.index,
        parents=tuple(parents),
        references=tuple(references) if needs_outputs else (),
        accepts_failed_parents=config.on_missing_references != OnMissing.ERROR,
        worker=PERSON if is_hold(job) else _setting(job, manager_config, "worker", str),
        priority=_setting(job, manager_config, "priority", int),
        resources=_mapping_setting(job, manager_config, "resources"),
        exec_config=_exec_config(job, manager_config),
        retry=retry_of(job, manager_config),
        work_dir=_work_dir(job, manager_config),
        metadata=_plain_mapping(job.metadata),
        hosts=tuple(job.hosts),
        additional_stores=tuple(job._kwargs),
    )


def _setting(job: Job, manager_config: Mapping[str, Any], key: str, kind: type) -> Any:
    value = manager_config.get(key)
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    raise InvalidFlow(f"job {job.name!r} ({job.uuid}) has {value!r} as its {key}; give a value of type {kind.__name__}")


def _work_dir(job: Job, manager_config: Mapping[str, Any]) -> str | None:
    value = manager_config.get("work_dir")
    try:
        return value if value is None else checked_work_dir(value)
    except InvalidRequest as error:
        raise InvalidFlow(f"job {job.name!r} ({job.uuid}): {error}") from error


def _exec_config(job: Job, manager_config: Mapping[str, Any]) -> str | Mapping[str, Any] | None:
    value = manager_config.get("exec_config")
    return value if isinstance(value, str) else _mapping_setting(job, manager_config, "exec_config")


def _mapping_setting(job: Job, manager_config: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """A mapping, also from an object that can turn itself into one: qtoolkit's QResources, a pydantic model."""
    value = manager_config.get(key)
    if value is None:
        return None
    for method in ("as_dict", "model_dump"):
        if not isinstance(value, Mapping) and hasattr(value, method):
            value = getattr(value, method)()
    if not isinstance(value, Mapping):
        raise InvalidFlow(f"job {job.name!r} ({job.uuid}) has {value!r} as its {key}; give a dictionary")
    return _plain_mapping(value)


def _plain_mapping(value: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that is certainly JSON; what is not becomes text. It is for looking at and searching."""
    if not value:
        return {}
    try:
        orjson.dumps(value, option=STRICT)
    except TypeError:
        return {str(key): item for key, item in jsanitize(value, enum_values=True).items()}
    return dict(value)
