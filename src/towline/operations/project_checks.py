"""Trying everything a project needs: each check is one line with what to do about it."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from towline.configuration.choice import load_project
from towline.configuration.execution import shell_setup
from towline.configuration.files import scan
from towline.configuration.job_stores import jobstore_document
from towline.configuration.model import Project, WorkerConfig
from towline.errors import ConfigurationError, InvalidRequest
from towline.operations.checks import Check, Outcome, guarded, ok
from towline.operations.compose import is_all_sql, make_job_store, open_given
from towline.operations.environments import MAIN_PACKAGES, Environment, differences, environment_of, own_environment
from towline.operations.remote_checks import remote_checks
from towline.operations.worker_trials import try_worker
from towline.settings import load_settings, setting_problems
from towline.store.migrations import SCHEMA_VERSION

_LITTLE_BYTES = 1_000_000_000
_TOO_LITTLE_BYTES = 50_000_000
_REMEDY_FOR_JOBS = "look at work_dir, pre_run and execution_cmd of workers.{name}; jobs of it would end like this one"
_CLOCK_TOLERANCE_SECONDS = 5.0
#: SQLite's write-ahead log needs shared memory, which machines do not share over a network file system.
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "fuse.sshfs", "afs", "ceph", "9p")


class Part(str, Enum):
    """A part of a project that can be checked alone."""

    GENERAL = "general"
    QUEUE = "queue"
    JOBSTORE = "jobstore"
    WORKER = "worker"


def check_project(
    name: str | None = None,
    *,
    parts: Sequence[Part] = tuple(Part),
    worker: str | None = None,
    all_packages: bool = False,
) -> Iterator[Check]:
    """Try a project, and tell each result as soon as it is there.

    Parameters
    ----------
    parts
        What to try.
    worker
        The only worker to try; all of them by default.
    all_packages
        Whether to compare all installed packages with those a job sees, and not only the main ones.

    Raises
    ------
    ConfigurationError
        The project cannot be read, or has no such worker.
    """
    project = load_project(name)
    names = list(project.workers) if worker is None else [project.worker(worker)[0]]
    if Part.GENERAL in parts:
        yield from _general_checks(project)
    if Part.QUEUE in parts:
        yield guarded("queue", lambda: _check_queue(project))
    if Part.JOBSTORE in parts:
        for store in (None, *project.optional_jobstores):
            subject = "job store" if store is None else f"job store {store}"
            yield guarded(subject, lambda store=store: _check_job_store(project, store))  # type: ignore[misc]
    if Part.WORKER in parts:
        own = own_environment()
        for worker_name in names:
            yield from check_worker(project, worker_name, own, all_packages=all_packages)


def check_worker(project: Project, name: str, own: Environment, *, all_packages: bool = False) -> Iterator[Check]:
    """Try a worker, and tell each result as soon as it is there.

    Parameters
    ----------
    own
        The environment that submits the jobs.
    """
    if not project.workers[name].runs_here:
        yield from remote_checks(project, name, own, all_packages=all_packages)
        return
    yield from _worker_checks(project, name, own, all_packages=all_packages)
    yield guarded(f"worker {name}: job", lambda: ok("", try_worker(project, name)), _REMEDY_FOR_JOBS.format(name=name))


def chosen_parts(*, queue: bool, jobstore: bool, worker: str | None) -> tuple[Part, ...]:
    """The parts that the options of `tow project check` name: everything when they name nothing.

    Raises
    ------
    InvalidRequest
        More than one is named.
    """
    named = [
        part
        for part, is_named in ((Part.QUEUE, queue), (Part.JOBSTORE, jobstore), (Part.WORKER, worker is not None))
        if is_named
    ]
    if len(named) > 1:
        raise InvalidRequest("--queue, --jobstore and --worker exclude each other; without any, everything is checked")
    return tuple(named) or tuple(Part)


def _general_checks(project: Project) -> Iterator[Check]:
    problems = setting_problems()
    if not problems:
        yield ok("settings", f"home {load_settings().home}")
    for problem in problems:
        yield Check("settings", Outcome.WARNING, problem, "correct it or remove it")
    source = "built in" if project.source is None else str(project.source)
    yield ok("project", f"{project.name} ({source})")
    for file in scan(load_settings().home):
        if file.problem is not None:
            remedy = "correct or remove the file; it does not disturb this project"
            yield Check("other project", Outcome.WARNING, f"{file.path} is not valid", remedy, file.problem)
    folders = dict.fromkeys((project.base_dir, project.tmp_dir, project.log_dir, project.daemon_dir))
    for folder in folders:
        yield guarded("folder", lambda folder=folder: _check_folder(folder))  # type: ignore[misc]
    yield guarded("disk", lambda: _check_disk(project.base_dir))
    yield guarded("clock", lambda: _check_clock(project.base_dir))
    yield guarded("packages", _check_packages)
    for name in project.exec_config:
        yield guarded(f"exec_config {name}", lambda name=name: _check_exec_config(project, name))  # type: ignore[misc]


def _check_folder(folder: Path) -> Check:
    existing = _existing(folder)
    remedy = f"type: ls -ld {existing}; then give yourself the right to write, or name another folder in the project"
    try:
        # The folder itself is made when it is needed, by what needs it.
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Check("", Outcome.FAILED, f"{folder} cannot be written: {error.strerror}", remedy)
    return ok("", f"{folder} " + ("can be written" if existing == folder else "will be made when it is needed"))


def _check_disk(folder: Path) -> Check:
    place = _existing(folder)
    free = shutil.disk_usage(place).free
    message = f"{free / 1e9:.1f} GB free in {place}"
    if free < _TOO_LITTLE_BYTES:
        return Check("", Outcome.FAILED, message, "free some space, or set base_dir to another disk")
    if free < _LITTLE_BYTES:
        return Check("", Outcome.WARNING, message, "free some space before a long run")
    if os.statvfs(place).f_files and not os.statvfs(place).f_favail:
        return Check("", Outcome.FAILED, f"no file can be made in {place}: all inodes are in use", "delete some files")
    return ok("", message)


def _check_clock(folder: Path) -> Check:
    # The clock of a file server may differ from the one of this machine; leases and file times would not fit.
    try:
        with tempfile.NamedTemporaryFile(dir=_existing(folder)) as stream:
            off = os.fstat(stream.fileno()).st_mtime - time.time()
    except OSError as error:
        message = f"the clock of the disk of {folder} cannot be read: {error.strerror}"
        return Check("", Outcome.WARNING, message, "give base_dir a folder that can be written")
    if abs(off) > _CLOCK_TOLERANCE_SECONDS:
        message = f"the clock of the disk of {folder} differs by {off:.0f} s from the clock of this machine"
        return Check("", Outcome.WARNING, message, "let both machines take the time from the network (NTP)")
    return ok("", "the machine and its disk agree about the time")


def _check_packages() -> Check:
    missing = []
    for requirement in metadata.requires("towline") or ():
        if "extra ==" not in requirement:
            name = _package_name(requirement)
            try:
                metadata.version(name)
            except metadata.PackageNotFoundError:
                missing.append(name)
    if missing:
        return Check("", Outcome.FAILED, f"missing: {', '.join(missing)}", "type: pip install --upgrade towline")
    return ok("", ", ".join(f"{name} {metadata.version(name)}" for name in MAIN_PACKAGES))


def _package_name(requirement: str) -> str:
    """The name before the first version sign, bracket or marker."""
    for position, character in enumerate(requirement):
        if not (character.isalnum() or character in "._-"):
            return requirement[:position]
    return requirement


def _check_exec_config(project: Project, name: str) -> Check:
    config = project.execution_config(name)
    worker = next(iter(project.workers.values()), None)
    if worker is not None:
        shell_setup(project, worker, name)  # finds variables and passwords that are not there
    literal = [key for key, value in (config.export or {}).items() if value.startswith("$") and "${env:" not in value]
    if literal:
        remedy = "values are taken literally; write ${env:NAME} for the value of a variable"
        return Check("", Outcome.WARNING, f"export of {', '.join(literal)} begins with $", remedy)
    return ok("", "complete")


def _check_queue(project: Project) -> Check:
    path = project.queue_path
    warning = None if path is None else _network_warning(path)
    if path is not None and not path.exists():
        found = _check_folder(path.parent)
        if found.outcome is not Outcome.OK:
            return found
        return warning or ok("", f"{path} will be made with the first job")
    with open_given(project) as opened:
        jobs = opened.database.read("SELECT count(*) FROM job")[0][0]
        with opened.database.transaction():
            pass  # a database that may be read and not written fails here
    return warning or ok("", f"{opened.database.place}, schema version {SCHEMA_VERSION}, {jobs} jobs")


def _network_warning(path: Path) -> Check | None:
    place = _existing(path).resolve()
    partitions: list[Any] = psutil.disk_partitions(all=True)  # psutil has no types
    mounts = [disk for disk in partitions if place.is_relative_to(disk.mountpoint)]
    kind = max(mounts, key=lambda disk: len(disk.mountpoint)).fstype if mounts else ""
    if not kind.startswith(_NETWORK_FILE_SYSTEMS):
        return None
    message = f"{path} is on a network file system ({kind}): the queue may be used from one machine at a time only"
    return Check("", Outcome.WARNING, message, "set queue.store.url to a path on a local disk")


def _check_job_store(project: Project, name: str | None) -> Check:
    document = jobstore_document(project, name)
    if is_all_sql(document) and project.queue_path is not None and not project.queue_path.exists():
        return ok("", "in the database of the queue, made with the first job")
    store: Any = make_job_store(project, name)  # maggma and jobflow have no types
    store.connect()
    try:
        store.query_one({"uuid": "no such job"})
        parts = ", ".join(["docs_store", *store.additional_stores])
        return ok("", f"{type(store.docs_store).__name__} answers ({parts})")
    finally:
        store.close()


def _worker_checks(project: Project, name: str, own: Environment, *, all_packages: bool) -> Iterator[Check]:
    worker = project.workers[name]
    subject = f"worker {name}"
    yield guarded(f"{subject}: work_dir", lambda: _check_folder(worker.work_dir))
    yield guarded(f"{subject}: disk", lambda: _check_disk(worker.work_dir))
    if worker.max_jobs == 0:
        yield Check(f"{subject}: max_jobs", Outcome.WARNING, "max_jobs is 0: no job will start", "set it to 1 or more")
    # With execution_cmd the interpreter is that of the user's line, which the job tries.
    for config in (None, *project.exec_config) if worker.execution_cmd is None else ():
        where = f"{subject}: environment" + ("" if config is None else f" {config}")
        shell_lines = f"workers.{name}" if config is None else f"workers.{name} or exec_config.{config}"
        yield guarded(
            where,
            lambda at=config: _check_environment(project, worker, at, own, all_packages),  # type: ignore[misc]
            f"look at pre_run, modules and export of {shell_lines}; type its lines in a shell to see what they do",
        )


def _check_environment(
    project: Project, worker: WorkerConfig, config: str | None, own: Environment, all_packages: bool
) -> Check:
    setup = shell_setup(project, worker, config)
    if setup.needs_shell and shutil.which("bash") is None:
        raise ConfigurationError("bash was not found, and pre_run, modules and post_run need it; install bash")
    seen = environment_of(setup, worker.preload, timeout_seconds=worker.timeout_execute)
    different = differences(own, seen, None if all_packages else MAIN_PACKAGES)
    message = f"Python {seen.python} with {len(seen.packages)} packages"
    if different:
        remedy = "a job would not see what you see; look at pre_run, modules and export (PYTHONPATH)"
        return Check("", Outcome.WARNING, f"{message}; different: {', '.join(different[:10])}", remedy)
    return ok("", message)


def _existing(path: Path) -> Path:
    """What exists of `path`: itself, or the nearest above it, which may be a file that is in the way."""
    return next(found for found in (path, *path.parents) if found.exists())
