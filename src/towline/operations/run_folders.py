"""Run folders of jobs: a shell in them, and deleting them."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from towline.core.run_folder import OWN_FILES, may_be_deleted
from towline.errors import InvalidRequest
from towline.operations.job_folders import folder_of_job
from towline.store.deletions import RunFolder, run_folders
from towline.store.job_info import JobInfo
from towline.workers.folder_deletion import delete_folders
from towline.workers.transports.ssh import SshTransport

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

_FOLDERS_BETWEEN_NEWS = 50


def shell_in(opened: "OpenProject", job: JobInfo, program: str) -> int:
    """Let the user work in the run folder of a job, in a shell of their own there; return its exit code.

    Raises
    ------
    InvalidRequest
        The job has no run folder, or there is no such program here.
    ConnectionFailed
        Its worker is not reached.
    """
    folder = folder_of_job(opened, job).path
    words, place = [program], folder
    config = opened.project.workers.get(job.worker)
    if config is not None and config.type != "local":
        transport = opened.transport(job.worker)
        assert isinstance(transport, SshTransport)
        words, place = transport.terminal(f"cd -- {shlex.quote(folder)} && exec {shlex.quote(program)}"), "/"
    try:
        return subprocess.run(words, cwd=place, env={**os.environ, "PWD": place}, check=False).returncode
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
    """Delete run folders of attempts that are over, if they are where such folders are, and ours.

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
    possible = may_be_deleted(folder.path, str(config.work_dir))
    if not possible or config.type != "local":
        return possible
    return not path.is_symlink() and any((path / name).exists() for name in OWN_FILES)


def _remove(path: Path) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()
