"""Files on their way from a worker: the script that packs them, and unpacking with distrust."""

import contextlib
import fnmatch
import io
import os
import posixpath
import re
import shlex
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from towline.errors import InvalidRequest, TransferFailed
from towline.workers.transports.channel import Channel
from towline.workers.transports.shell_text import absolute, path_text, pattern_text
from towline.workers.transports.transport import Fetched, Progress, Selection

_CHUNK_BYTES = 1 << 20
_DEEP = re.compile(r"(?:(?P<folder>.+)/)?\*\*/(?P<name>[^/]+)\Z")
_LINK_REASON = "a link that leads out of the folder"


def packing_script(selections: Sequence[Selection]) -> str:
    """The script that writes the files of all selections to standard output, as one tar stream from ``/`` on."""
    lines = [
        # Hard links are sent as files of their own; only GNU's tar can be told so, and others ask for no such thing.
        'case "$(tar --version 2>/dev/null)" in *GNU*) plain="--hard-dereference" ;; *) plain="" ;; esac',
        "give() {",
        'for file do if [ -e "$file" ] || [ -L "$file" ]; then printf "%s\\000" ".$base/$file"; fi; done',
        "}",
        # A script around names that are given by expansion alone: nothing in them is read by the shell again.
        "list() {",
    ]
    for selection in selections:
        folder = path_text(folder_path(selection.folder))
        lines.append(f'base={folder}; if cd -- "$base" 2>/dev/null; then')
        lines += [_listing(pattern) for pattern in selection.patterns]
        lines.append("fi")
    lines += [
        ":",
        "}",
        "list | tar -cf - -C / $plain --null -T -",
        "code=$?",
        # 1 says that a file was written to while it was read: what was there is packed.
        'if [ "$code" = 1 ]; then code=0; fi',
        "exit $code",
    ]
    return "\n".join(lines)


def folder_path(folder: str) -> str:
    """The folder of a selection in normal form.

    Raises
    ------
    InvalidRequest
        It leads out of the home folder.
    """
    normal = posixpath.normpath(folder) if folder else ""
    if not normal or "\0" in normal or normal.split("/")[0] == "..":
        raise InvalidRequest(f"{folder!r} is no folder; give an absolute path, or one relative to the home folder")
    return "/" + normal.lstrip("/") if normal.startswith("/") else normal


def _listing(pattern: str) -> str:
    normal = _normal(pattern)
    deep = _DEEP.match(normal)
    if deep is None and "**" in normal:
        raise InvalidRequest(f"the pattern {pattern!r} has '**' where it means nothing; write folder/**/name")
    if deep is None:
        return f"give {pattern_text(normal)}"
    folder = pattern_text(deep["folder"]) if deep["folder"] else "."
    name = shlex.quote(deep["name"])
    # The names are arguments of the inner shell, which reads only the fixed text.
    inner = 'base=$1; shift; for file do printf "%s\\000" ".$base/$file"; done'
    find = f'find "./$start" -name {name} ! -type d -exec sh -c {shlex.quote(inner)} towline "$base" {{}} +'
    return f'for start in {folder}; do if [ -d "$start" ]; then {find}; fi; done'


def _normal(pattern: str) -> str:
    normal = posixpath.normpath(pattern) if pattern else ""
    if not normal or "\0" in normal or normal.startswith("/") or ".." in normal.split("/"):
        raise InvalidRequest(f"the pattern {pattern!r} is no path in the folder; give one relative to it, without '..'")
    return normal


@dataclass(slots=True)
class _Arrivals:
    """What arrived of one selection."""

    selection: Selection
    #: The folder in the names of the stream, without the first slash.
    prefix: str
    target: str
    files: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)

    def told(self) -> Fetched:
        """The selection with its files, and its patterns that matched nothing."""
        names = [*self.files, *self.skipped, *self.folders]
        known = set(names)
        missing = tuple(
            pattern
            for pattern in self.selection.patterns
            # Most patterns are plain names, and there may be thousands of them.
            if _normal(pattern) not in known and not _matches_any(_normal(pattern), names)
        )
        return Fetched(self.selection, self.files, missing, self.skipped)


def _matches_any(pattern: str, names: Sequence[str]) -> bool:
    if pattern == ".":
        return bool(names)
    deep = _DEEP.match(pattern)
    wanted = (f"{deep['folder']}/{deep['name']}" if deep["folder"] else deep["name"]) if deep else pattern
    parts = wanted.split("/")
    for name in names:
        given = name.split("/")
        if deep and len(given) >= len(parts):
            given = [*given[: len(parts) - 1], given[-1]]
        if len(given) >= len(parts) and all(map(fnmatch.fnmatchcase, given, parts)):
            return True
    return False


class Unpacking:
    """Takes a tar stream and puts its files into the targets of the selections, and nowhere else.

    Parameters
    ----------
    channel
        Gives the stream.
    token
        For names of files that are not complete.
    """

    def __init__(
        self,
        selections: Sequence[Selection],
        channel: Channel,
        token: str,
        progress: Progress | None = None,
    ) -> None:
        home = channel.home
        self._stream = _Stream(channel, progress)
        self._token = token
        self._arrivals = [
            _Arrivals(item, _stream_folder(item.folder, home), os.path.realpath(item.target)) for item in selections
        ]
        self._by_prefix = {item.prefix: item for item in self._arrivals}
        self._made: set[str] = set()

    def run(self) -> list[Fetched]:
        """Unpack everything.

        Raises
        ------
        TransferFailed
            The stream is damaged, or has something that would not stay in its target.
        OSError
            A file cannot be written here.
        """
        try:
            with tarfile.open(fileobj=self._stream, mode="r:") as archive:
                while (member := archive.next()) is not None:
                    self._take(member)
                    # The archive remembers every member it has seen.
                    archive.members.clear()  # type: ignore[attr-defined]
        except tarfile.TarError as error:
            raise TransferFailed(f"what the worker sent is no tar stream: {error}") from error
        self._stream.drain()
        return [item.told() for item in self._arrivals]

    def _take(self, member: tarfile.TarInfo) -> None:
        name = posixpath.normpath("/" + member.name.lstrip("/"))
        if ".." in member.name.split("/"):
            raise TransferFailed(f"the worker sent {member.name!r}, which is not in the folder that was asked for")
        folder = name
        while folder not in self._by_prefix:
            if folder == "/":
                raise TransferFailed(f"the worker sent {name!r}, which nobody asked for")
            folder = posixpath.dirname(folder)
        self._put(member, self._by_prefix[folder], name[len(folder) :].lstrip("/"))

    def _put(self, member: tarfile.TarInfo, item: _Arrivals, relative: str) -> None:
        if member.isdir():
            self._folder(item, relative)
            item.folders.add(relative or ".")
        elif member.isreg() and not member.issparse():
            self._folder(item, posixpath.dirname(relative))
            self._write(member, item, relative)
            item.files[relative] = member.size
        elif member.issym():
            self._link(member, item, relative)
        elif member.islnk() or member.issparse():
            raise TransferFailed(f"the worker sent {relative!r} as a hard link or with holes; copy it there first")
        else:
            item.skipped[relative] = "neither a file nor a folder"

    def _folder(self, item: _Arrivals, relative: str) -> str:
        folder = f"{item.target}/{relative}" if relative else item.target
        if folder not in self._made:
            self._make(item, folder)
            self._made.add(folder)
        return folder

    def _make(self, item: _Arrivals, folder: str) -> None:
        # A link in the target, left by somebody else, must not lead what is written elsewhere.
        real = os.path.realpath(folder)
        if real != folder:
            raise TransferFailed(f"{folder} is or goes through a link to {real}; remove it, or fetch to another folder")
        Path(folder).mkdir(parents=True, exist_ok=True)

    def _write(self, member: tarfile.TarInfo, item: _Arrivals, relative: str) -> None:
        place = f"{item.target}/{relative}"
        folder = os.path.dirname(place)  # noqa: PTH120 - called for every file
        partial = f"{folder}/.{self._token}.{len(item.files)}"
        mode = (member.mode | 0o600) & 0o777
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            try:
                self._copy(member.size, descriptor)
            finally:
                os.close(descriptor)
            os.utime(partial, (member.mtime, member.mtime))
            os.replace(partial, place)  # noqa: PTH105 - called for every file
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)  # noqa: PTH108
            raise

    def _copy(self, size: int, descriptor: int) -> None:
        # The stream stands at the content of the file: it is read without the reader of tar streams, which copies.
        while size:
            piece = self._stream.read_piece(min(size, _CHUNK_BYTES))
            if not piece:
                raise TransferFailed("the stream of files was cut")
            size -= len(piece)
            left = memoryview(piece)
            while left:
                left = left[os.write(descriptor, left) :]

    def _link(self, member: tarfile.TarInfo, item: _Arrivals, relative: str) -> None:
        if not _stays_inside(posixpath.dirname(relative), member.linkname):
            item.skipped[relative] = f"{_LINK_REASON}: {member.linkname}"
            return
        folder = self._folder(item, posixpath.dirname(relative))
        partial = f"{folder}/.{self._token}.link"
        os.symlink(member.linkname, partial)  # noqa: PTH211
        os.replace(partial, f"{item.target}/{relative}")  # noqa: PTH105
        item.files[relative] = 0


def _stays_inside(folder: str, link: str) -> bool:
    """Whether a link in a folder of the target leads to something in the target.

    ``..`` after a name is refused, because the name may be a link itself, so that nobody knows where it leads.
    """
    parts = [part for part in link.split("/") if part not in ("", ".")]
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    depth = len(folder.split("/")) if folder else 0
    return not link.startswith("/") and ".." not in parts[ups:] and ups <= depth


class _Stream(io.RawIOBase):
    """What comes from the channel, as a file in which one can only go forward."""

    def __init__(self, channel: Channel, progress: Progress | None) -> None:
        super().__init__()
        self._channel = channel
        self._progress = progress
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end."""
        return self._count(self._channel.read(size))

    def read_piece(self, limit: int) -> bytes:
        """What there is, at most `limit` bytes; empty at the end."""
        return self._count(self._channel.read_piece(limit))

    def tell(self) -> int:
        """How many bytes were read."""
        return self._at

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Drop what stands before a position."""
        while self._at < position and self.read_piece(position - self._at):
            pass
        return self._at

    def drain(self) -> None:
        """Read to the end: a tar stream may be followed by empty blocks."""
        while self.read_piece(_CHUNK_BYTES):
            pass

    def _count(self, data: bytes) -> bytes:
        self._at += len(data)
        if self._progress and data:
            self._progress(self._at, None)
        return data


def check_apart(selections: Sequence[Selection], home: str) -> None:
    """Refuse selections whose folders are the same, or lie in each other: nobody could tell whose a file is.

    Raises
    ------
    InvalidRequest
        There are such.
    """
    folders: dict[str, str] = {}
    for item in selections:
        folder = _stream_folder(item.folder, home)
        if folder in folders:
            raise InvalidRequest(f"{item.folder} is selected twice; put its patterns into one selection")
        folders[folder] = item.folder
    for folder, given in folders.items():
        above = posixpath.dirname(folder)
        while above not in folders and above != "/":
            above = posixpath.dirname(above)
        if above in folders and above != folder:
            raise InvalidRequest(f"{given} lies in {folders[above]}, which is selected too; fetch them one by one")


def _stream_folder(folder: str, home: str) -> str:
    # Two slashes at the beginning would be kept.
    return posixpath.normpath("/" + absolute(folder_path(folder), home).lstrip("/"))
