"""Environments that earlier deployments of a project left on a worker."""

import hashlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from towline.configuration.files import scan
from towline.configuration.hosts import host_of, workers_on
from towline.configuration.model import Project
from towline.core.states import IN_FLIGHT, JobState
from towline.settings import load_settings
from towline.workers.environments.leftovers import Leftover, delete_environments, leave_mark, list_environments

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject
    from towline.workers.transports.transport import Transport


@dataclass(frozen=True, slots=True)
class OldEnvironments:
    """What became, or would become, of the environments of earlier deployments."""

    #: Bytes by name of those that were deleted, or would be.
    deleted: dict[str, int]
    #: Why others stay, by name.
    kept: dict[str, str]


def note_use(project: Project, transport: "Transport", place: str) -> None:
    """Note in an environment on a worker that this project uses it."""
    leave_mark(transport, place, _user(project), f"project {project.name} of {platform.node()}")


def old_environments(
    opened: "OpenProject", worker: str, folder: str, current: str, before: str | None, *, delete: bool
) -> OldEnvironments:
    """Find, and delete, the environments of this project that nothing uses any more.

    Parameters
    ----------
    folder
        Where environments are on the worker.
    current
        Name of the one that was just deployed.
    before
        The Python of the worker before that: jobs that were prepared with it may not have been submitted yet.

    Raises
    ------
    WorkerError
        The worker cannot be reached.
    """
    transport = opened.transport(worker)
    scripts, unsure = _in_flight(opened, worker)
    user = _user(opened.project)
    named = {python: name for name, python in _pythons()}
    deleted, kept, shared = {}, {}, []
    for item in list_environments(transport, folder, scripts):
        if item.name == current or user not in item.users:
            continue
        reason = _reason(item, named, before if unsure else None)
        if reason is not None:
            kept[item.name] = reason
        elif set(item.users) == {user}:
            deleted[item.name] = item.size_bytes
        else:
            shared.append(item.name)
    if delete:
        # From what others use, too, the mark of this project goes: the last one deletes it.
        gone = delete_environments(transport, folder, [*deleted, *shared], user)
        shared = [name for name in (*deleted, *shared) if name not in gone]
        deleted = {name: size for name, size in deleted.items() if name in gone}
    kept |= dict.fromkeys(shared, "another project deployed it too")
    return OldEnvironments(deleted, kept)


def _reason(item: Leftover, named: dict[str, str], before: str | None) -> str | None:
    """Why an environment stays."""
    for python, name in named.items():
        if f"/{item.name}/" in python:
            return f"the worker {name} uses it"
    if item.in_script:
        return "jobs that have not ended, or a running allocation, use it"
    if before is not None and f"/{item.name}/" in before:
        return "jobs that are about to be submitted may use it"
    return None


def _pythons() -> Iterator[tuple[str, str]]:
    """``(project and worker, Python)`` of all projects here."""
    for file in scan(load_settings().home):
        for name, config in file.project.workers.items() if file.project is not None else ():
            if config.python is not None:
                yield f"{name} of the project {file.name}", config.python


def _in_flight(opened: "OpenProject", worker: str) -> tuple[list[str], bool]:
    """Folders of jobs and allocations that have not ended on the host of a worker, and whether others have none yet."""
    project = opened.project
    states = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT | {JobState.REMOTE_ERROR}))
    folders, unsure = [], False
    for name in workers_on(project, host_of(project.worker(worker)[1])):
        rows = opened.database.read(f"SELECT run_dir, state FROM job WHERE worker = ? AND state IN ({states})", (name,))
        # Without a folder it was not sent yet; UPLOADED may be repeated with what the runner has in memory.
        unsure |= any(path is None or state in ("CHECKED_OUT", "UPLOADED") for path, state in rows)
        folders += [path for path, _ in rows if path is not None]
        batches = opened.database.read("SELECT folder FROM batch WHERE worker = ? AND state <> 'FINISHED'", (name,))
        folders += [path for (path,) in batches]
    return folders, unsure


def _user(project: Project) -> str:
    """A word for this project on this machine."""
    return hashlib.sha256(f"{platform.node()}:{project.base_dir}:{project.name}".encode()).hexdigest()[:16]
