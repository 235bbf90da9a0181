"""Projects that are in each other's way: the same folder, queue or place for outputs in two of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towline.configuration.files import scan
from towline.configuration.job_stores import jobstore_document
from towline.configuration.model import Project, WorkerConfig
from towline.configuration.secrets import masked
from towline.errors import ConfigurationError
from towline.settings import load_settings

#: What tells where a store of maggma keeps its documents.
_STORE_KEYS = ("type", "host", "port", "path", "paths", "database", "collection_name", "bucket", "uri", "url")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that two or more projects share."""

    #: queue, folder, run folders or job store.
    what: str
    where: str
    projects: tuple[str, ...]
    #: Whether it does harm; sharing a job store may be what is wanted.
    is_harmful: bool
    advice: str


def find_conflicts() -> list[Conflict]:
    """What projects share; the built-in project has everything to itself."""
    projects = [file.project for file in scan(load_settings().home) if file.project is not None]
    users: dict[tuple[str, str], list[str]] = {}
    for project in projects:
        for what, where in dict.fromkeys(_claims(project)):
            users.setdefault((what, where), []).append(project.name)
    shared = [
        Conflict(what, where, tuple(names), *_JUDGEMENTS[what])
        for (what, where), names in users.items()
        if len(names) > 1
    ]
    return [*shared, *_nested(projects)]


_JUDGEMENTS: Mapping[str, tuple[bool, str]] = {
    "queue": (True, "two runners would fight for the same jobs; give each project a queue.store.url of its own"),
    "daemon folder": (True, "the processes of one would be taken for those of the other; give each its own daemon_dir"),
    "log folder": (False, "two runners write into one runner.log; give each project its own log_dir"),
    "run folders": (
        False,
        "`tow project remove` and cleaning by hand would hit both; give each worker its own work_dir",
    ),
    "jobs of batch workers": (
        True,
        "the allocations of one take the jobs of the other; give each worker its own jobs_handle_dir and work_dir",
    ),
    "job store": (False, "both write outputs there, which is fine if it is wanted"),
}


def _claims(project: Project) -> Iterator[tuple[str, str]]:
    yield "queue", masked(project.queue.store.url)
    yield "daemon folder", str(project.daemon_dir)
    yield "log folder", str(project.log_dir)
    for worker in project.workers.values():
        # The same path on another host is another folder.
        yield "run folders", f"{worker.host}:{worker.work_dir}" if worker.host else str(worker.work_dir)
        yield from (("jobs of batch workers", place) for place in _batch_folders(worker))
    for name in (None, *project.optional_jobstores):
        yield from (("job store", place) for place in _stores(project, name))


def _batch_folders(worker: WorkerConfig) -> Iterator[str]:
    """Those that the user named; the usual ones have the name of the project in them."""
    if worker.batch is not None:
        for folder in (worker.batch.jobs_handle_dir, worker.batch.work_dir):
            if folder is not None:
                yield f"{worker.host}:{folder}" if worker.host else str(folder)


def _stores(project: Project, name: str | None) -> Iterator[str]:
    try:
        document = jobstore_document(project, name)
    except ConfigurationError:
        return  # a secret that is not there: `tow project check` says so
    additional = document.get("additional_stores")
    parts = [document.get("docs_store"), *(additional.values() if isinstance(additional, Mapping) else ())]
    for part in parts:
        # The store in the queue's database is the queue's matter.
        if isinstance(part, Mapping) and part.get("type") not in (None, "sql", "MemoryStore"):
            yield _place(part)


def _place(store: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {masked(store[key], key)}" for key in _STORE_KEYS if store.get(key) is not None)


def _nested(projects: list[Project]) -> Iterator[Conflict]:
    """A base_dir inside of another one goes with it when that project is removed."""
    for outer in projects:
        for inner in projects:
            if outer is not inner and _is_below(inner.base_dir, outer.base_dir):
                advice = f"`tow project remove {outer.name}` refuses to delete it; move one of them"
                yield Conflict("folder", str(inner.base_dir), (outer.name, inner.name), False, advice)


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve() == folder.resolve() or path.resolve().is_relative_to(folder.resolve())
