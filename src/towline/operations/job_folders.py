"""The run folder of a job, wherever its worker is: what is in it, what the job prints there, bringing files here."""

import fnmatch
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from towline.core.run_folder import is_own_file, output_files
from towline.errors import InvalidRequest, WorkerError
from towline.store.job_info import JobInfo

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

#: Told why a transfer was cut, and after how many seconds it goes on.
Interrupted = Callable[[WorkerError, float], None]

#: Told the bytes that are here so far, and those that there are in all.
Progress = Callable[[int, int], None]

_CHUNK_BYTES = 1 << 23


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


class Followed(Protocol):
    """Files that a job writes: gives what is new at each look."""

    #: How long to wait between two looks, at least.
    pause_seconds: float

    def news(self) -> Sequence[str]:
        """What was written since the last look, one text for each file."""


class JobFolder(Protocol):
    """The run folder of the present attempt of a job."""

    path: str

    def entries(self) -> list[FileEntry]:
        """Everything in it, sorted by path."""

    def fetch(
        self,
        names: Sequence[str],
        target: Path,
        progress: Progress | None = None,
        *,
        only_files: bool = False,
    ) -> list[Path]:
        """Bring files and folders here, under their paths in the run folder; return the files that are here now.

        Parameters
        ----------
        names
            Paths relative to the run folder, or patterns such as ``*.out`` and ``results/**/*.dat``. Files of towline
            and hidden ones are brought only when they are named.
        only_files
            Patterns mean files alone, as those of declared outputs do, and not folders with everything in them.

        Raises
        ------
        InvalidRequest
            A name is not in the run folder, or leads out of it.
        """

    def present(self, names: Sequence[str]) -> list[str]:
        """Those of the names and patterns that mean files in it."""

    def read(self, names: Sequence[str], last_bytes: int | None) -> Mapping[str, tuple[str, int]]:
        """``{path: (text, bytes left out before it)}``; only the ends of long files unless `last_bytes` is None."""

    def follow(self, names: Sequence[str], *, from_end: bool) -> Followed:
        """Watch files, from their beginning or their present end on."""


def folder_of_job(opened: "OpenProject", job: JobInfo, interrupted: Interrupted | None = None) -> JobFolder:
    """The run folder of the present attempt.

    Parameters
    ----------
    interrupted
        Told when a transfer was cut and goes on.

    Raises
    ------
    InvalidRequest
        There is none.
    """
    if job.run_dir is None:
        what = "has not started" if job.start_time is None else "ran inside a process of its worker (execution: pooled)"
        raise InvalidRequest(f"job {job.db_id} has no run folder: it is {job.state.value} and {what}")
    config = opened.project.workers.get(job.worker)
    if config is None or config.type == "local":
        return FolderHere(job.db_id, Path(job.run_dir))
    # Only who looks at another machine pays for what goes there.
    from towline.operations.remote_folders import FolderThere

    return FolderThere(job.db_id, job.run_dir, opened.transport(job.worker), interrupted)


def printed_files(opened: "OpenProject", job: JobInfo) -> tuple[str, str]:
    """Files of standard output and standard error of a job, relative to its run folder."""
    worker = opened.project.workers.get(job.worker)
    return output_files(job.resources if job.resources is not None or worker is None else worker.resources)


def not_found(db_id: str, name: str) -> InvalidRequest:
    """The error for a name that is not in a run folder."""
    is_pattern = any(letter in name for letter in "*?[")
    meant = " (a pattern means files of the job, neither those of towline nor hidden ones)" if is_pattern else ""
    return InvalidRequest(f"no {name!r} in the run folder{meant}; `tow job files ls {db_id}` shows what there is")


def check_name(name: str, folder: str) -> str:
    """A name or pattern in normal form.

    Raises
    ------
    InvalidRequest
        It leads out of the run folder.
    """
    pure = Path(name)
    if pure.is_absolute() or ".." in pure.parts or not name:
        raise InvalidRequest(f"{name!r} leads out of the run folder {folder}; name files relative to it")
    return os.path.normpath(name)


def chosen(paths: Sequence[str], name: str, *, only_files: bool = False) -> list[str]:
    """Those of the paths of files that a name or pattern means, with everything in a folder that it means.

    Parameters
    ----------
    only_files
        Patterns do not mean folders.
    """
    exact = [path for path in paths if path == name or path.startswith(f"{name}/") or name == "."]
    if exact:
        return exact
    wanted = name.split("/")
    return [path for path in paths if not is_own_file(path) and _matches(path.split("/"), wanted, only_files)]


def _matches(parts: Sequence[str], pattern: Sequence[str], only_files: bool) -> bool:
    """Whether a path, or a folder that it is in, matches; as a shell does it, with ``**`` for any number of folders."""
    if not pattern:
        return not (parts and only_files)
    if not parts:
        return False
    is_hidden = parts[0].startswith(".")
    if pattern[0] == "**":
        return _matches(parts, pattern[1:], only_files) or (not is_hidden and _matches(parts[1:], pattern, only_files))
    if is_hidden and not pattern[0].startswith("."):
        return False
    return fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:], only_files)


class FolderHere:
    """A run folder on this machine."""

    def __init__(self, db_id: str, folder: Path) -> None:
        if not folder.is_dir():
            raise InvalidRequest(f"the run folder of job {db_id} is gone: {folder}")
        self.path = str(folder)
        self._db_id = db_id
        self._folder = folder

    def entries(self) -> list[FileEntry]:
        """Everything in it, sorted by path."""
        return [self._entry(path) for path in sorted(self._folder.rglob("*"))]

    def present(self, names: Sequence[str]) -> list[str]:
        """Those of the names and patterns that mean files in it."""
        return [name for name in names if chosen(self._files(), check_name(name, self.path), only_files=True)]

    def fetch(
        self,
        names: Sequence[str],
        target: Path,
        progress: Progress | None = None,
        *,
        only_files: bool = False,
    ) -> list[Path]:
        """Copy files and folders out of it; see :class:`JobFolder`."""
        paths = self._files()
        wanted: dict[str, None] = {}
        for name in names:
            found = chosen(paths, check_name(name, self.path), only_files=only_files)
            if not found and not (self._folder / name).is_dir():
                raise not_found(self._db_id, name)
            wanted.update(dict.fromkeys(sorted(found)))
        target.mkdir(parents=True, exist_ok=True)
        return self._copied(list(wanted), target, progress)

    def read(self, names: Sequence[str], last_bytes: int | None) -> Mapping[str, tuple[str, int]]:
        """What stands in files, or at their ends."""
        return {str(self._folder / name): _tail(self._folder / name, last_bytes) for name in names}

    def follow(self, names: Sequence[str], *, from_end: bool) -> Followed:
        """Watch files."""
        return FilesHere({self._folder / name: _size(self._folder / name) if from_end else 0 for name in names})

    def _files(self) -> list[str]:
        return [str(path.relative_to(self._folder)) for path in self._folder.rglob("*") if not path.is_dir()]

    def _entry(self, path: Path) -> FileEntry:
        status = path.lstat()
        return FileEntry(
            path=str(path.relative_to(self._folder)),
            is_folder=path.is_dir(),
            size_bytes=status.st_size,
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
            is_own=path.parent == self._folder and is_own_file(path.name),
        )

    def _copied(self, names: Sequence[str], target: Path, progress: Progress | None) -> list[Path]:
        total = sum(_size(self._folder / name) for name in names)
        done = 0
        copies = []
        for name in names:
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            for count in _copy(self._folder / name, copy):
                done += count
                if progress is not None:
                    progress(done, total)
            copies.append(copy)
        return copies


def _copy(source: Path, target: Path) -> Iterator[int]:
    """Copy a file; gives the numbers of bytes as they go over. It has its final name only when it is complete."""
    if target.exists() and target.samefile(source):
        return
    partial = target.with_name(f".{target.name}.towline-part")
    with source.open("rb") as reading, partial.open("wb") as writing:
        while data := reading.read(_CHUNK_BYTES):
            writing.write(data)
            yield len(data)
    shutil.copystat(source, partial)
    partial.replace(target)


class FilesHere:
    """Files of this machine that somebody writes, from given positions on."""

    pause_seconds = 0.05

    def __init__(self, positions: dict[Path, int]) -> None:
        self._positions = positions

    def news(self) -> Sequence[str]:
        """What was written since the last look."""
        return [self._new_text(path) for path in self._positions]

    def _new_text(self, path: Path) -> str:
        try:
            with path.open("rb") as stream:
                stream.seek(self._positions[path])
                content = stream.read()
        except OSError:
            return ""
        self._positions[path] += len(content)
        return content.decode(errors="replace")


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
