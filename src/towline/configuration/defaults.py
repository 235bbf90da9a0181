"""What a project has without being told: the built-in default project, and what a file leaves out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from towline.configuration.hosts import host_limit_problems
from towline.configuration.model import SQLITE_PREFIX, Project, QueueConfig, QueueStore, WorkerConfig
from towline.configuration.refusals import Problem
from towline.configuration.remote_workers import local_problems, remote_problems
from towline.configuration.secrets import has_reference, masked, resolve
from towline.core.event_filter import hook_problems
from towline.core.retry_policy import read_policy
from towline.errors import ConfigurationError
from towline.store.dialect import POSTGRESQL_PREFIXES

#: Name of the project that exists without a file.
DEFAULT_PROJECT = "default"
#: Name of the worker that a project has when it names none.
DEFAULT_WORKER = "local"

_QUEUE_FILE = "queue.db"
_FOLDERS = {"tmp_dir": "tmp", "log_dir": "log", "daemon_dir": "daemon"}
_JOBSTORE_KEYS = ("docs_store", "additional_stores", "save", "load")


def default_project(home: Path, name: str = DEFAULT_PROJECT) -> Project:
    """The project that exists without a file; with another name, what a file has that says nothing but the name."""
    root = home / name
    return Project(
        name=name,
        base_dir=root,
        tmp_dir=root / _FOLDERS["tmp_dir"],
        log_dir=root / _FOLDERS["log_dir"],
        daemon_dir=root / _FOLDERS["daemon_dir"],
        workers={DEFAULT_WORKER: WorkerConfig(work_dir=root / "jobs")},
        queue=QueueConfig(store=QueueStore(url=f"{SQLITE_PREFIX}{root / _QUEUE_FILE}")),
    )


def completed(document: Mapping[str, Any], home: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The document of a project file with what it leaves out, paths in full, and what is wrong with its values."""
    problems: list[Problem] = []
    _check_references(document, (), problems)
    whole = {key: value for key, value in document.items() if value is not None}
    if "JOB_STORE" in whole:
        if "jobstore" in whole:
            problems.append((("JOB_STORE",), "is another name of jobstore, which is there too; remove one"))
        whole["jobstore"] = whole.pop("JOB_STORE")
    whole["base_dir"] = _path(whole.get("base_dir", str(home / str(whole.get("name")))), ("base_dir",), problems)
    for key, folder in _FOLDERS.items():
        whole[key] = _path(whole.get(key, str(Path(whole["base_dir"]) / folder)), (key,), problems)
    whole["workers"] = _workers(whole.get("workers", {DEFAULT_WORKER: {}}), whole["base_dir"], problems)
    whole["queue"] = _queue(whole.get("queue", {}), whole["base_dir"], problems)
    _check_stores(whole, problems)
    _check_policies(whole, problems)
    problems.extend(host_limit_problems(whole))
    return whole, problems


def _workers(workers: Any, base_dir: str, problems: list[Problem]) -> Any:
    if not isinstance(workers, Mapping):
        return workers
    return {name: _worker(name, worker, base_dir, problems) for name, worker in workers.items()}


def _worker(name: str, worker: Any, base_dir: str, problems: list[Problem]) -> Any:
    if worker is None:
        worker = {}
    if not isinstance(worker, Mapping):
        return worker
    whole = {key: value for key, value in worker.items() if value is not None}
    where = ("workers", str(name))
    if whole.get("type") == "remote":
        problems.extend(((*where, *keys), text) for keys, text in remote_problems(whole))
        whole.setdefault("work_dir", "/")  # what is missing was told
        return whole
    problems.extend(((*where, *keys), text) for keys, text in local_problems(whole))
    whole["work_dir"] = _path(whole.get("work_dir", str(Path(base_dir) / "jobs")), (*where, "work_dir"), problems)
    return whole


def _queue(queue: Any, base_dir: str, problems: list[Problem]) -> Any:
    if not isinstance(queue, Mapping):
        return queue
    store = queue.get("store") or {}
    if not isinstance(store, Mapping):
        return queue
    url = store.get("url")
    if url is None:
        url = f"{SQLITE_PREFIX}{Path(base_dir) / _QUEUE_FILE}"
    elif isinstance(url, str):
        url = _queue_url(url, problems)
    return {**queue, "store": {**store, "url": url}}


def _queue_url(url: str, problems: list[Problem]) -> str:
    keys = ("queue", "store", "url")
    if url.startswith(POSTGRESQL_PREFIXES):
        return url  # what it refers to is looked up when the database is opened
    if "://" not in url:
        return f"{SQLITE_PREFIX}{_path(url, keys, problems)}"
    if not url.startswith(SQLITE_PREFIX):
        remedy = "write sqlite:////absolute/path/queue.db or postgresql+psycopg://user@host/database"
        problems.append((keys, f"{masked(url)!r} is no database that towline knows; {remedy}"))
        return url
    path = url.removeprefix(SQLITE_PREFIX)
    if "?" in path:
        problems.append((keys, "options after `?` are not possible; write sqlite:////absolute/path/queue.db"))
    return f"{SQLITE_PREFIX}{_path(path, keys, problems)}"


def _path(value: Any, keys: tuple[str, ...], problems: list[Problem]) -> Any:
    """A path in full, as text."""
    if not isinstance(value, str):
        problems.append((keys, f"{value!r} should be an absolute path"))
        return "/"
    try:
        path = Path(resolve(value, ".".join(keys))).expanduser()
    except ConfigurationError as error:
        problems.append((keys, str(error)))
        return "/"
    except RuntimeError as error:  # ~name of nobody
        problems.append((keys, f"{value!r}: {error}"))
        return "/"
    if not path.is_absolute():
        problems.append((keys, f"{value!r} is not an absolute path; begin with / or ~"))
    elif not str(path).isprintable():
        problems.append((keys, f"{value!r} has characters that cannot be printed"))
    return str(path)


def _check_references(value: Any, keys: tuple[str, ...], problems: list[Problem]) -> None:
    """Refuse references where nobody resolves them: they must not silently stay what they are."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_references(item, (*keys, key), problems)
    elif isinstance(value, list):
        for item in value:
            _check_references(item, keys, problems)
    elif isinstance(value, str) and has_reference(value) and not _is_resolved(keys):
        if keys[-1] in ("pre_run", "post_run"):
            problems.append(
                (keys, "these lines are for the shell, which reads variables as $NAME; put secrets into export")
            )
        else:
            problems.append(
                (keys, "${...} is possible in paths, in queue.store.url, in export, and in job stores only")
            )


def _is_resolved(keys: tuple[str, ...]) -> bool:
    match keys:
        case ("base_dir" | "tmp_dir" | "log_dir" | "daemon_dir",) | ("queue", "store", "url"):
            return True
        case ("workers", _, "work_dir") | ("exec_config", _, "export", _) | ("hooks", "run"):
            return True
        case ("jobstore" | "JOB_STORE" | "optional_jobstores", *_):
            return True
    return False


def _check_stores(document: Mapping[str, Any], problems: list[Problem]) -> None:
    _check_store(document.get("jobstore"), ("jobstore",), problems)
    optional = document.get("optional_jobstores")
    for name, store in optional.items() if isinstance(optional, Mapping) else ():
        _check_store(store, ("optional_jobstores", name), problems)


def _check_policies(document: Mapping[str, Any], problems: list[Problem]) -> None:
    """Check what says when jobs run again, and the hooks."""
    policies: dict[tuple[str, ...], Any] = {("retry",): document.get("retry")}
    workers = document.get("workers")
    for name, worker in workers.items() if isinstance(workers, Mapping) else ():
        policies[("workers", str(name), "retry")] = worker.get("retry") if isinstance(worker, Mapping) else None
    for keys, policy in policies.items():
        try:
            read_policy(policy or {})
        except ConfigurationError as error:
            problems.append((keys, str(error)))
    hooks = document.get("hooks")
    for number, hook in enumerate(hooks) if isinstance(hooks, list | tuple) else ():
        if isinstance(hook, Mapping):
            problems.extend((("hooks", number, *keys), text) for keys, text in hook_problems(hook))


def _check_store(store: Any, keys: Sequence[str], problems: list[Problem]) -> None:
    """Check the short form of a job store; the serialized form is maggma's own."""
    if not isinstance(store, Mapping) or "@class" in store:
        return
    for key in store:
        if key not in _JOBSTORE_KEYS:
            problems.append(((*keys, key), f"unknown key; the keys here are {', '.join(_JOBSTORE_KEYS)}"))
    parts: dict[tuple[str, ...], Any] = {("docs_store",): store.get("docs_store")}
    additional = store.get("additional_stores")
    if isinstance(additional, Mapping):
        parts.update({("additional_stores", name): item for name, item in additional.items()})
    elif additional is not None:
        problems.append(((*keys, "additional_stores"), "should be names with a store each"))
    for place, part in parts.items():
        if part is None and place == ("docs_store",):
            continue
        if not isinstance(part, Mapping) or not isinstance(part.get("type", part.get("@class")), str):
            reason = "a store needs a `type`: sql for towline's own, or the name of a maggma store such as MongoStore"
            problems.append(((*keys, *place), reason))
        elif part.get("type") == "MemoryStore":
            reason = (
                "a MemoryStore forgets its documents when the runner ends; write `type: sql`, or leave the store out"
            )
            problems.append(((*keys, *place), reason))
