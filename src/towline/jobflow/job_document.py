"""A jobflow Job as JSON and back: the same job, down to the types of its arguments."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MethodType
from typing import Any

import jobflow
from jobflow import Job, JobConfig, OnMissing, OutputReference
from jobflow.core.reference import find_and_get_references

from towline.core.documents import path_text
from towline.errors import InvalidFlow
from towline.jobflow.encoding import Encoder, MissingCode, Unwritable, decode, decode_function
from towline.jobflow.main_module import main_object
from towline.jobflow.naming import MAIN, Unnameable, is_callable_by_name

#: What a document may leave out because it is empty.
_UPDATES = ("metadata_updates", "config_updates", "name_updates")


@dataclass(slots=True)
class WrittenJob:
    """A job as a document, and what is known about it from writing it."""

    document: dict[str, Any]
    #: Uuids of the jobs whose output its arguments refer to.
    references: tuple[str, ...]
    #: Whether it can be run without decoding: a function by name, arguments that are exactly JSON, nothing special.
    plain: bool
    modules: set[str] = field(default_factory=set)
    #: What the user's script defines and the job needs.
    main: dict[str, object] = field(default_factory=dict)


class JobWriter:
    """Writes jobs; functions that many of them share are looked up once."""

    def __init__(self) -> None:
        self._functions: dict[int, tuple[Any, dict[str, Any], Encoder]] = {}

    def write(self, job: Job) -> WrittenJob:
        """`job` as a document.

        Raises
        ------
        InvalidFlow
            Its function could not be found by another process, or a value cannot be written.
        """
        encoder = Encoder()
        document = {
            "@module": "jobflow.core.job",
            "@class": "Job",
            "@version": jobflow.__version__,
            "function": self._function(job, encoder),
            "function_args": [_argument(job, encoder, f"{n + 1}", a) for n, a in enumerate(job.function_args)],
            "function_kwargs": {key: _argument(job, encoder, repr(key), a) for key, a in job.function_kwargs.items()},
            "uuid": job.uuid,
            "index": job.index,
            "name": job.name,
        }
        plain = encoder.plain and job.output_schema is None and not job._kwargs and _resolves_plainly(job.config)
        references = tuple(encoder.references) if encoder.plain else _references(job)
        self._add_rest(job, document, encoder)
        if not encoder.plain or encoder.main:
            for module, name in _objects_in(document):
                encoder.modules.add(module)
                if module == MAIN and name not in encoder.main:
                    encoder.main[name] = _from_script(job, name)
        return WrittenJob(document, references, plain, encoder.modules, encoder.main)

    def _function(self, job: Job, encoder: Encoder) -> dict[str, Any]:
        known = self._functions.get(id(job.function))
        if known is None:
            known = (job.function, *_write_function(job))
            if not isinstance(job.function, MethodType):  # those are new for each job
                self._functions[id(job.function)] = known
        _, tree, noted = known
        encoder.plain = noted.plain
        encoder.modules.update(noted.modules)
        encoder.main.update(noted.main)
        return tree

    def _add_rest(self, job: Job, document: dict[str, Any], encoder: Encoder) -> None:
        rest: dict[str, Any] = {"metadata": job.metadata, "hosts": job.hosts, **job._kwargs}
        rest |= {name: getattr(job, name) for name in _UPDATES}
        if job.output_schema is not None:
            rest["output_schema"] = job.output_schema
        if not _is_default(job.config):
            rest["config"] = job.config
        for key, value in rest.items():
            if value not in ([], {}):
                document[key] = _encoded(job, encoder, key, value)


def read_job(document: Mapping[str, Any]) -> Job:
    """The job that was written.

    Raises
    ------
    MissingCode
        Its function, or a class that an argument needs, is not available here.
    """
    function = _read_function(document)
    values = {key: decode(value) for key, value in document.items() if key != "function" and not key.startswith("@")}
    with warnings.catch_warnings():
        # jobflow warned when the user made the job.
        warnings.simplefilter("ignore")
        job = Job(function=function, **values)
    job.function_args = tuple(job.function_args)
    job.config.on_missing_references = OnMissing(str(job.config.on_missing_references))
    return job


def read_plain_job(document: Mapping[str, Any], arguments: list[Any], keywords: dict[str, Any]) -> Job:
    """As :func:`read_job`, for a plain job with its arguments at hand, without what jobflow checks at construction."""
    job = Job.__new__(Job)
    get = document.get
    job.__dict__.update(
        function=_read_function(document),
        function_args=tuple(arguments),
        function_kwargs=keywords,
        output_schema=None,
        uuid=document["uuid"],
        index=document["index"],
        name=document["name"],
        metadata=decode(get("metadata", {})),
        config=decode(document["config"]) if "config" in document else JobConfig(),
        hosts=get("hosts", []),
        metadata_updates=decode(get("metadata_updates", [])),
        name_updates=get("name_updates", []),
        config_updates=decode(get("config_updates", [])),
        _kwargs={},
        output=OutputReference(document["uuid"]),
    )
    return job


def _read_function(document: Mapping[str, Any]) -> Any:
    try:
        return decode_function(document["function"])
    except MissingCode as error:
        raise MissingCode(f"job {document['name']!r} cannot run here: {error}") from error


def _write_function(job: Job) -> tuple[dict[str, Any], Encoder]:
    encoder = Encoder()
    try:
        if is_callable_by_name(job.function):
            return encoder.function(job.function), encoder
        encoder.plain = False
        return encoder.encode(job.function), encoder
    except (Unnameable, Unwritable) as error:
        raise InvalidFlow(f"job {job.name!r} ({job.uuid}) cannot be run by another process: {error}") from error


def _argument(job: Job, encoder: Encoder, label: str, value: Any) -> Any:
    return value if type(value) is int else _encoded(job, encoder, f"argument {label}", value)


def _encoded(job: Job, encoder: Encoder, label: str, value: Any) -> Any:
    try:
        return encoder.encode(value)
    except (Unwritable, RecursionError) as error:
        path, reason = _culprit(value, error)
        where = f"{label}, at {path_text(path)}," if path else label
        raise InvalidFlow(f"job {job.name!r} ({job.uuid}) cannot be stored: {where} {reason}") from error


def _culprit(value: Any, error: Exception) -> tuple[tuple[str | int, ...], str]:
    """Keys that lead to the innermost value that cannot be written, and why it cannot."""
    if isinstance(error, RecursionError):
        return (), "is nested too deeply or contains itself"
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        try:
            Encoder().encode(item)
        except Unwritable as inner:
            path, reason = _culprit(item, inner)
            return (key, *path), reason
    return (), str(error)


def _references(job: Job) -> tuple[str, ...]:
    """As jobflow finds them, also inside objects."""
    uuids: dict[str, None] = {}
    for argument in (*job.function_args, *job.function_kwargs.values()):
        try:
            uuids.update((reference.uuid, None) for reference in find_and_get_references(argument))
        except Exception as error:
            # Any error of the user's own as_dict.
            raise InvalidFlow(
                f"job {job.name!r} ({job.uuid}) cannot be stored: jobflow cannot look for references in an argument "
                f"of type {type(argument).__name__} ({type(error).__name__}: {error}); give plain values or MSONable "
                "objects"
            ) from error
    return tuple(uuids)


def _resolves_plainly(config: JobConfig) -> bool:
    return (
        config.resolve_references is True
        and not config.expose_store
        and config.on_missing_references == OnMissing.ERROR
    )


def _is_default(config: JobConfig) -> bool:
    return (
        type(config) is JobConfig
        and _resolves_plainly(config)
        and config.pass_manager_config is True
        and not config.manager_config
        and not config.response_manager_config
    )


def _objects_in(tree: Any) -> Iterator[tuple[str, str]]:
    """Module and outermost name of each function and class in a document."""
    if isinstance(tree, list):
        for item in tree:
            yield from _objects_in(item)
    elif isinstance(tree, dict):
        module, name = tree.get("@module"), tree.get("@class") or tree.get("@callable")
        if isinstance(module, str) and isinstance(name, str):
            yield module, name.partition(".")[0]
        for item in tree.values():
            yield from _objects_in(item)


def _from_script(job: Job, name: str) -> object:
    found = main_object(name)
    if found is None:
        raise InvalidFlow(
            f"job {job.name!r} ({job.uuid}) needs {name} from your script, which no longer has it; define it again"
        )
    return found
