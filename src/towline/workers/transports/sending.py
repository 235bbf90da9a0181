"""Trees on their way to a worker: one tar stream, and the script that puts them into their places."""

import os
import posixpath
import shlex
import stat
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from towline.errors import InvalidRequest
from towline.workers.transports.shell_text import path_text
from towline.workers.transports.transport import Content, Existing, Progress, Source, Tree

_CHUNK_BYTES = 1 << 18
_BLOCK_BYTES = 512
#: The last entry of the stream; without it the stream was cut.
_COMPLETE = "complete"
#: Small entries are put together to pieces of this size.
_PIECE_BYTES = 1 << 16

#: What the script prints before the output of what follows.
UNPACKED = b"unpacked\n"


def relative_path(path: str, root: str) -> str:
    """The path of a tree in normal form.

    Raises
    ------
    InvalidRequest
        It leads out of the root.
    """
    normal = posixpath.normpath(path)
    if not path or "\0" in path or normal.startswith("/") or normal == "." or normal.split("/")[0] == "..":
        raise InvalidRequest(f"{path!r} is no path in {root}; give one relative to it, without '..'")
    return normal


def unpacking_script(root: str, trees: Sequence[Tree], token: str, then: str) -> str:
    """The script that reads the stream from standard input and puts each tree into its place.

    Everything is unpacked in a folder of its own beside the final places and moved there, so that nothing appears in
    part; whatever happens, that folder is gone in the end.
    """
    lines = [
        "set -e",
        f"mkdir -p -- {path_text(root)}",
        f"cd -- {path_text(root)}",
        f"stage=.towline-{token}",
        'mkdir -m 700 -- "$stage"',
        "trap 'rm -rf -- \"$stage\"' EXIT",
        "trap 'exit 1' HUP INT PIPE TERM",
        'tar -xof - -C "$stage"',
        f'if ! [ -e "$stage/{_COMPLETE}" ]; then echo "the stream of files was cut" >&2; exit 1; fi',
        "cat >/dev/null || :",
    ]
    parents = sorted({posixpath.dirname(relative_path(tree.path, root)) for tree in trees} - {""})
    lines += [f"mkdir -p -- {shlex.join(parents[start : start + 200])}" for start in range(0, len(parents), 200)]
    for number, tree in enumerate(trees):
        lines += _placing(number, shlex.quote("./" + relative_path(tree.path, root)), tree.existing)
    unpack = "\n".join(lines)
    follow = [f"cd -- {path_text(root)} || exit", "exec </dev/null", then] if then else []
    # Not with `||` after the parentheses: it would switch off `set -e` in them.
    begin = [f"(eval {shlex.quote(unpack)}) >&2", "code=$?", 'if [ "$code" != 0 ]; then exit "$code"; fi']
    return "\n".join([*begin, f"printf '%s' {shlex.quote(UNPACKED.decode())}", *follow])


def _placing(number: int, place: str, existing: Existing) -> list[str]:
    taken = f"[ -e {place} ] || [ -L {place} ]"
    if existing is Existing.KEEP:
        return [f'if {taken}; then :; else mv -- "$stage/{number}" {place}; fi']
    return [f'if {taken}; then mv -- {place} "$stage/old-{number}"; fi', f'mv -- "$stage/{number}" {place}']


def total_bytes(trees: Sequence[Tree]) -> int:
    """Bytes of all files of the trees."""
    return sum(_size(source) for tree in trees for _, source in _members("x", tree.content))


def tar_stream(trees: Sequence[Tree], progress: Progress | None = None) -> Iterator[bytes]:
    """The trees as a tar stream, piece by piece; memory does not grow with the size of files.

    Raises
    ------
    InvalidRequest
        A source is missing, is neither file nor folder, or a folder contains itself by way of a link.
    """
    total = total_bytes(trees) if progress else None
    done = 0
    piece = bytearray()
    for number, tree in enumerate(trees):
        for name, source in _members(str(number), tree.content):
            for data in _entry(name, source):
                if len(data) < _PIECE_BYTES:
                    piece += data
                if len(piece) >= _PIECE_BYTES or len(data) >= _PIECE_BYTES:
                    yield bytes(piece)
                    piece.clear()
                if len(data) >= _PIECE_BYTES:
                    yield data
            if progress and source is not None:
                done += _size(source)
                progress(done, total)
    piece += _header(_COMPLETE, 0, 0o600, time.time())
    # GNU tar reads records of 20 blocks and is content with fewer.
    yield bytes(piece) + bytes(2 * _BLOCK_BYTES)


def _members(name: str, content: Source | Mapping[str, Source]) -> Iterator[tuple[str, Source | None]]:
    """Names and sources in an order in which folders come first; None is a folder without a model."""
    if not isinstance(content, Mapping):
        yield from _source_members(name, content, ())
        return
    yield name, None
    made = {name}
    for inner, source in content.items():
        path = f"{name}/{relative_path(inner, 'the tree')}"
        parents = path.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            parent = "/".join(parents[:depth])
            if parent not in made:
                made.add(parent)
                yield parent, None
        yield from _source_members(path, source, ())


def _source_members(name: str, source: Source, above: tuple[str, ...]) -> Iterator[tuple[str, Source]]:
    yield name, source
    if isinstance(source, Path) and source.is_dir():
        real = os.path.realpath(source)
        if real in above:
            raise InvalidRequest(f"{source} is a link to a folder that contains it; remove the link, or send its parts")
        for entry in sorted(source.iterdir()):
            yield from _source_members(f"{name}/{entry.name}", entry, (*above, real))


def _size(source: Source | None) -> int:
    if source is None:
        return 0
    if isinstance(source, Path):
        status = _status(source)
        return status.st_size if stat.S_ISREG(status.st_mode) else 0
    return len(source.data if isinstance(source, Content) else source)


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be sent: {error.strerror}") from error
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise InvalidRequest(f"{path} is neither a file nor a folder and cannot be sent; remove it or name others")
    return status


def _entry(name: str, source: Source | None) -> Iterator[bytes]:
    if source is None:
        yield _header(name, 0, 0o777, time.time(), tarfile.DIRTYPE)
    elif isinstance(source, Path):
        yield from _file_entry(name, source)
    else:
        content = source if isinstance(source, Content) else Content(source)
        yield _header(name, len(content.data), content.mode, time.time())
        yield content.data
        yield bytes(-len(content.data) % _BLOCK_BYTES)


def _file_entry(name: str, path: Path) -> Iterator[bytes]:
    status = _status(path)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        # The owner has to be able to fill and to move it.
        yield _header(name, 0, mode | 0o700, status.st_mtime, tarfile.DIRTYPE)
        return
    yield _header(name, status.st_size, mode, status.st_mtime)
    left = status.st_size
    try:
        with path.open("rb", buffering=0) as file:
            # A file that grows meanwhile is sent as it was.
            while left and (data := file.read(min(left, _CHUNK_BYTES))):
                left -= len(data)
                yield data
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be sent: {error.strerror}") from error
    if left:
        raise InvalidRequest(f"{path} became shorter while it was sent; send it again when nobody writes to it")
    yield bytes(-status.st_size % _BLOCK_BYTES)


def _header(name: str, size: int, mode: int, modified_at: float, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime, info.type = size, mode, int(modified_at), kind
    # The form that every tar reads: long names and large files as GNU's.
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
