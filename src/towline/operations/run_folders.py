"""Run folders of jobs: a shell in them, and deleting them."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from towline.core.run_folder import OWN_FILES
from towline.errors import InvalidRequest
from towline.store.deletions import RunFolder, run_folders
from towline.store.job_info import JobInfo
from towline.workers.folder_deletion import delete_folders

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

_FOLDERS_BETWEEN_NEWS = 50


def run_folder_of(job: JobInfo) -> Path:
    """The run folder of the present attempt.

    Raises
    ------
    InvalidRequest
        There is none.
    """
    if job.run_dir is None:
        what = "has not started" if job.start_time is None else "ran inside a process of its worker (execution: pooled)"
        raise InvalidRequest(f"job {job.db_id} has no run folder: it is {job.state.value} and {what}")
    folder = Path(job.run_dir)
    if not folder.is_dir():
        raise InvalidRequest(f"the run folder of job {job.db_id} is gone: {folder}")
    return folder


def shell_in(folder: Path, program: str) -> int:
    """Let the user work in a folder, in a shell of their own; return its exit code.

    Raises
    ------
    InvalidRequest
        There is no such program.
    """
    try:
        return subprocess.run([program], cwd=folder, env={**os.environ, "PWD": str(folder)}, check=False).returncode
    except OSError as error:
        raise InvalidRequest(
            f"the shell {program!r} cannot be started: {error.strerror}; name one: --shell sh"
        ) from error


def delete_files(
    opened: "OpenProject", rows: Iterable[int], progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Delete the run folders of all attempts of these jobs, except of attempts in flight; return those that went."""
    with opened.database.transaction() as transaction:
        folders = run_folders(transaction, rows)
    return delete_run_folders(opened, folders, progress)


def delete_run_folders(
    opened: "OpenProject", folders: Sequence[RunFolder], progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Delete run folders of attempts that are over, if they are inside the work_dir of their worker and ours.

    Parameters
    ----------
    progress
        Told how many of how many folders were looked at.
    """
    ours = [folder for folder in folders if not folder.in_use and _is_ours(opened, folder)]
    elsewhere = [folder for folder in ours if opened.project.workers[folder.worker].type != "local"]
    deleted = []
    for number, folder in enumerate(ours):
        if folder not in elsewhere and _remove(Path(folder.path)):
            deleted.append(folder.path)
        if progress is not None and number % _FOLDERS_BETWEEN_NEWS == 0:
            progress(number + 1, len(ours))
    return deleted + _delete_elsewhere(opened, elsewhere)


def _delete_elsewhere(opened: "OpenProject", folders: Sequence[RunFolder]) -> list[str]:
    deleted = []
    for worker in sorted({folder.worker for folder in folders}):
        paths = [folder.path for folder in folders if folder.worker == worker]
        deleted += delete_folders(opened.transport(worker), paths)
    return deleted


def _is_ours(opened: "OpenProject", folder: RunFolder) -> bool:
    config = opened.project.workers.get(folder.worker)
    if config is None:
        return False
    path = Path(folder.path)
    inside = ".." not in path.parts and path != config.work_dir and path.is_relative_to(config.work_dir)
    if not inside or config.type != "local":
        return inside
    return not path.is_symlink() and any((path / name).exists() for name in OWN_FILES)


def _remove(path: Path) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()
