"""Run folders of jobs on this machine: what is in them, what jobs print, getting files, deleting."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from towline.core.run_folder import OWN_FILES, output_files
from towline.errors import InvalidRequest
from towline.store.deletions import RunFolder, run_folders
from towline.store.job_info import JobInfo

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

_FOLDERS_BETWEEN_NEWS = 50


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file or folder in a run folder."""

    #: Relative to the run folder.
    path: str
    is_folder: bool
    size_bytes: int
    modified: datetime
    #: Put there by towline, not by the job.
    is_own: bool


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


def list_files(job: JobInfo) -> list[FileEntry]:
    """Everything in the run folder of a job, sorted by path."""
    folder = run_folder_of(job)
    return [_entry(folder, path) for path in sorted(folder.rglob("*"))]


def get_files(job: JobInfo, names: Sequence[str], target: Path) -> list[Path]:
    """Copy files and folders out of the run folder of a job.

    Parameters
    ----------
    names
        Paths relative to the run folder, or patterns such as ``*.out``.

    Returns
    -------
    The copies, in `target`.

    Raises
    ------
    InvalidRequest
        A name is not in the run folder, or leads out of it.
    """
    folder = run_folder_of(job)
    target.mkdir(parents=True, exist_ok=True)
    return [_copy(source, target / source.name) for name in names for source in _matches(job, folder, name)]


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


def printed_files(opened: "OpenProject", job: JobInfo) -> tuple[str, str]:
    """Files of standard output and standard error of a job, relative to its run folder."""
    worker = opened.project.workers.get(job.worker)
    return output_files(job.resources if job.resources is not None or worker is None else worker.resources)


def read_outputs(opened: "OpenProject", job: JobInfo, last_bytes: int | None) -> dict[str, tuple[str, int]]:
    """What a job printed: ``{path: (text, bytes left out before it)}`` of queue.out and queue.err.

    Parameters
    ----------
    last_bytes
        Only the end of longer files; None is everything.
    """
    folder = run_folder_of(job)
    return {str(folder / name): _tail(folder / name, last_bytes) for name in printed_files(opened, job)}


class Followed:
    """A file that somebody writes: gives what is new at each look."""

    def __init__(self, path: Path, position: int) -> None:
        self.path = path
        self._position = position

    def new_text(self) -> str:
        """What was written since the last look."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._position)
                content = stream.read()
        except FileNotFoundError:
            return ""
        self._position += len(content)
        return content.decode(errors="replace")


def follow_outputs(opened: "OpenProject", job: JobInfo) -> list[Followed]:
    """queue.out and queue.err of a job, from their present ends on."""
    folder = run_folder_of(job)
    return [Followed(folder / name, _size(folder / name)) for name in printed_files(opened, job)]


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
    deleted = []
    for number, folder in enumerate(folders):
        if not folder.in_use and _is_ours(opened, folder) and _remove(Path(folder.path)):
            deleted.append(folder.path)
        if progress is not None and number % _FOLDERS_BETWEEN_NEWS == 0:
            progress(number + 1, len(folders))
    return deleted


def _is_ours(opened: "OpenProject", folder: RunFolder) -> bool:
    config = opened.project.workers.get(folder.worker)
    if config is None:
        return False
    path = Path(folder.path)
    inside = ".." not in path.parts and path != config.work_dir and path.is_relative_to(config.work_dir)
    return inside and not path.is_symlink() and any((path / name).exists() for name in OWN_FILES)


def _remove(path: Path) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


def _entry(folder: Path, path: Path) -> FileEntry:
    status = path.lstat()
    return FileEntry(
        path=str(path.relative_to(folder)),
        is_folder=path.is_dir(),
        size_bytes=status.st_size,
        modified=datetime.fromtimestamp(status.st_mtime, UTC),
        is_own=path.parent == folder and path.name in OWN_FILES,
    )


def _matches(job: JobInfo, folder: Path, name: str) -> Iterator[Path]:
    pure = Path(name)
    if pure.is_absolute() or ".." in pure.parts or not name:
        raise InvalidRequest(f"{name!r} leads out of the run folder {folder}; name files relative to it")
    found = [folder / name] if (folder / name).exists() else sorted(folder.glob(name))
    if not found:
        raise InvalidRequest(f"no {name!r} in the run folder; `tow job files ls {job.db_id}` shows what there is")
    yield from found


def _copy(source: Path, target: Path) -> Path:
    if source.is_dir():
        return Path(shutil.copytree(source, target, dirs_exist_ok=True))
    return Path(shutil.copy2(source, target))


def _tail(path: Path, last_bytes: int | None) -> tuple[str, int]:
    size = _size(path)
    skipped = 0 if last_bytes is None else max(0, size - last_bytes)
    if size == 0:
        return "", 0
    with path.open("rb") as stream:
        stream.seek(skipped)
        return stream.read().decode(errors="replace"), skipped


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
