"""The run folder of a job on another machine, by way of the transport of its worker."""

import codecs
import glob
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from towline.core.run_folder import is_own_file
from towline.errors import InvalidRequest, TransferFailed, WorkerError
from towline.operations.job_folders import FileEntry, Followed, Progress, check_name, chosen, not_found
from towline.workers.folder_listing import Listed, list_folder
from towline.workers.persistence import Interrupted, persist
from towline.workers.transports.transport import Selection, Transport

#: From this size on a file comes by itself, so that a cut costs only what was not here yet.
_LARGE_BYTES = 8 << 20
_PATIENCE_SECONDS = 300.0
#: A whole file that a job printed, piece by piece.
_PIECE_BYTES = 16 << 20


class FolderThere:
    """A run folder behind a transport.

    Parameters
    ----------
    interrupted
        Told when a transfer was cut and goes on.
    """

    def __init__(self, db_id: str, folder: str, transport: Transport, interrupted: Interrupted | None = None) -> None:
        self.path = folder
        self._db_id = db_id
        self._transport = transport
        self._interrupted = interrupted

    def entries(self) -> list[FileEntry]:
        """Everything in it, sorted by path."""
        return [
            FileEntry(
                path=item.path,
                is_folder=item.is_folder,
                size_bytes=item.size_bytes,
                modified=datetime.fromtimestamp(item.modified_at, UTC),
                is_own=is_own_file(item.path),
            )
            for item in self._listed()
        ]

    def present(self, names: Sequence[str]) -> list[str]:
        """Those of the names and patterns that mean files in it."""
        paths = [item.path for item in self._listed() if not item.is_folder]
        return [name for name in names if chosen(paths, check_name(name, self.path), only_files=True)]

    def fetch(
        self,
        names: Sequence[str],
        target: Path,
        progress: Progress | None = None,
        *,
        only_files: bool = False,
    ) -> list[Path]:
        """Bring files and folders here; see :class:`~towline.operations.job_folders.JobFolder`.

        What is here already, with the same size and time, does not come again.
        """
        normal = [check_name(name, self.path) for name in names]
        wanted = self._wanted(normal, only_files)
        target.mkdir(parents=True, exist_ok=True)
        coming = _Coming(self._transport, self.path, target, wanted, progress)
        persist(coming.bring, patience_seconds=_PATIENCE_SECONDS, interrupted=self._interrupted)
        return [target / item.path for item in wanted]

    def read(self, names: Sequence[str], last_bytes: int | None) -> Mapping[str, tuple[str, int]]:
        """What stands in files, or at their ends."""
        paths = [f"{self.path}/{name}" for name in names]
        sizes = {path: tail.size or 0 for path, tail in self._transport.tail(dict.fromkeys(paths, 1 << 62)).items()}
        limit = _PIECE_BYTES if last_bytes is None else last_bytes
        starts = {path: 0 if last_bytes is None else max(0, size - last_bytes) for path, size in sizes.items()}
        pieces: dict[str, list[bytes]] = {path: [] for path in paths}
        at = {path: start for path, start in starts.items() if start < sizes[path]}
        while at:
            for path, tail in self._transport.tail(at, limit_bytes=limit).items():
                pieces[path].append(tail.data)
                at[path] += len(tail.data)
                if not tail.data or at[path] >= sizes[path]:
                    del at[path]
        return {path: (b"".join(pieces[path]).decode(errors="replace"), starts[path]) for path in paths}

    def follow(self, names: Sequence[str], *, from_end: bool) -> Followed:
        """Watch files."""
        paths = [f"{self.path}/{name}" for name in names]
        start = dict.fromkeys(paths, 0)
        if from_end:
            start = {path: tail.size or 0 for path, tail in self._transport.tail(dict.fromkeys(paths, 1 << 62)).items()}
        return _FilesThere(self._transport, start)

    def _listed(self) -> list[Listed]:
        found = list_folder(self._transport, self.path)
        if found is None:
            raise InvalidRequest(f"the run folder of job {self._db_id} is gone: {self.path} on {self._transport.name}")
        return found

    def _wanted(self, names: Sequence[str], only_files: bool) -> list[Listed]:
        listed = persist(self._listed, patience_seconds=_PATIENCE_SECONDS, interrupted=self._interrupted)
        files = {item.path: item for item in listed if not item.is_folder}
        folders = {item.path for item in listed if item.is_folder}
        paths, wanted = list(files), dict[str, Listed]()
        for name in names:
            found = chosen(paths, name, only_files=only_files)
            if not found and name not in folders:
                raise not_found(self._db_id, name)
            wanted.update((path, files[path]) for path in found)
        return list(wanted.values())


class _Coming:
    """Brings files here, each once, however often it is begun again."""

    def __init__(
        self, transport: Transport, folder: str, target: Path, wanted: Sequence[Listed], progress: Progress | None
    ) -> None:
        self._transport = transport
        self._folder = folder
        self._target = target
        self._wanted = wanted
        self._progress = progress
        self._total = sum(item.size_bytes for item in wanted)
        self._done = 0

    def bring(self) -> None:
        """Bring what is not here."""
        missing = [item for item in self._wanted if not self._is_here(item)]
        self._done = self._total - sum(item.size_bytes for item in missing)
        large = [item for item in missing if item.is_file and not item.is_link and item.size_bytes >= _LARGE_BYTES]
        small = [item for item in missing if item not in large]
        if small:
            patterns = tuple(glob.escape(item.path) for item in small)
            (fetched,) = self._transport.fetch(
                [Selection(self._folder, self._target, patterns)], progress=lambda done, _: self._tell(done)
            )
            left = [*fetched.missing, *(f"{name} ({why})" for name, why in fetched.skipped.items())]
            if left:
                raise TransferFailed(f"{self._transport.name}: these files did not come: {', '.join(left[:5])}")
            self._done += sum(item.size_bytes for item in small)
        for item in large:
            self._transport.fetch_file(
                f"{self._folder}/{item.path}",
                self._target / item.path,
                progress=lambda done, _: self._tell(done),
            )
            (self._target / item.path).chmod(item.mode | 0o600)
            self._done += item.size_bytes

    def _is_here(self, item: Listed) -> bool:
        path = self._target / item.path
        if item.is_link or path.is_symlink() or not path.is_file():
            return False
        status = path.stat()
        return status.st_size == item.size_bytes and int(status.st_mtime) == int(item.modified_at)

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            self._progress(min(self._done + done, self._total), self._total)


class _FilesThere:
    """Files of another machine that somebody writes. Looks become rarer while nothing is new."""

    _SHORTEST_PAUSE_SECONDS = 0.5
    _LONGEST_PAUSE_SECONDS = 5.0

    def __init__(self, transport: Transport, positions: dict[str, int]) -> None:
        self.pause_seconds = self._SHORTEST_PAUSE_SECONDS
        self._transport = transport
        self._positions = positions
        # A character may be in two pieces.
        self._decoders = {path: codecs.getincrementaldecoder("utf-8")("replace") for path in positions}

    def news(self) -> Sequence[str]:
        """What was written since the last look; nothing while the worker does not answer."""
        try:
            found = self._transport.tail(self._positions)
        except WorkerError:
            return ["" for _ in self._positions]
        any_news = False
        for path, tail in found.items():
            self._positions[path] += len(tail.data)
            any_news |= bool(tail.data)
        pause = self._SHORTEST_PAUSE_SECONDS if any_news else self.pause_seconds * 1.3
        self.pause_seconds = min(self._LONGEST_PAUSE_SECONDS, pause)
        return [self._decoders[path].decode(tail.data) for path, tail in found.items()]
