"""One large file, in one direction, going on where an earlier attempt was cut.

What has arrived stands beside the final place under a name that tells size and time of the original, so that the
beginning of one file is never continued with the end of another.
"""

import hashlib
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from towline.errors import InvalidRequest, TransferFailed
from towline.workers.transports.channel import Channel
from towline.workers.transports.file_readings import SHA256, digits
from towline.workers.transports.shell_text import path_text
from towline.workers.transports.transport import Progress

_CHUNK_BYTES = 1 << 20
_SUFFIX = ".towline-part"

#: Makes a channel for a script, with the arguments `feed` and `timeout_seconds`.
Open = Callable[..., AbstractContextManager[Channel]]

_GIVE = """\
if ! [ -f "$path" ]; then echo "there is no such file" >&2; exit 1; fi
size=$(wc -c <"$path") || exit
time=$(stat -Lc %Y -- "$path" 2>/dev/null || stat -Lf %m -- "$path" 2>/dev/null) || time=0
start=0
if [ "$((size)) $time" = "$known" ]; then start=$have; fi
printf '%s %s %s\\n' $size $time $start
if [ "$start" = 0 ]; then cat <"$path" || exit; else tail -c "+$((start + 1))" <"$path" || exit; fi
if [ "$start" != 0 ] || [ "$verify" = 1 ]; then sha256 <"$path" >&2; fi"""


def fetch(name: str, open_channel: Open, path: str, target: Path, *, verify: bool, progress: Progress | None) -> int:
    """Bring one file here; see :meth:`~towline.workers.transports.transport.Transport.fetch_file`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    known, have = _partial_of(target)
    script = "\n".join(
        [
            SHA256,
            f"path={path_text(path)} known={shlex.quote(known)} have={have} verify={int(verify)}",
            _GIVE,
        ]
    )
    with open_channel(script) as channel:
        header = _line(channel)
        if not header:
            _, errors = channel.finish()
            raise TransferFailed(f"{name}: {path} cannot be fetched: {errors.decode(errors='replace').strip()}")
        size, modified_at, start = (int(word) for word in header.split())
        partial = _partial_name(target, size, modified_at)
        _receive(channel, partial, start, size, progress)
        code, errors = channel.finish()
    arrived = partial.stat().st_size
    if code or arrived != size:
        partial.unlink()
        said = errors.decode(errors="replace").strip() or f"{arrived} of {size} bytes arrived"
        raise TransferFailed(f"{name}: {path} cannot be fetched: {said}; did it change meanwhile? Fetch it again")
    if start or verify:
        _compare(name, path, digits(errors.decode(errors="replace")), partial)
    os.utime(partial, (modified_at, modified_at))
    partial.replace(target)
    return size


def _partial_of(target: Path) -> tuple[str, int]:
    """Size and time of the original of what has arrived, and how much that is; of the largest piece."""
    best = ("", 0)
    prefix = f".{target.name}."
    for entry in target.parent.iterdir():
        if entry.name.startswith(prefix) and entry.name.endswith(_SUFFIX):
            size, _, modified_at = entry.name[len(prefix) : -len(_SUFFIX)].partition("-")
            have = entry.stat().st_size
            if size.isdigit() and have <= int(size) and have > best[1]:
                best = (f"{size} {modified_at}", have)
    return best


def _partial_name(target: Path, size: int, modified_at: int) -> Path:
    mine = target.with_name(f".{target.name}.{size}-{modified_at}{_SUFFIX}")
    for entry in list(target.parent.iterdir()):
        if entry.name.startswith(f".{target.name}.") and entry.name.endswith(_SUFFIX) and entry != mine:
            entry.unlink()
    return mine


def _line(channel: Channel) -> str:
    line = bytearray()
    while (byte := channel.read(1)) not in (b"", b"\n"):
        line += byte
    return line.decode(errors="replace")


def _receive(channel: Channel, partial: Path, start: int, size: int, progress: Progress | None) -> None:
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.ftruncate(descriptor, start)
        os.lseek(descriptor, start, os.SEEK_SET)
        done = start
        while data := channel.read_piece(_CHUNK_BYTES):
            # A file that grows meanwhile is fetched as it was.
            view = memoryview(data)[: max(0, size - done)]
            while view:
                written = os.write(descriptor, view)
                done += written
                view = view[written:]
            if progress:
                progress(done, size)
    finally:
        os.close(descriptor)


def _compare(name: str, path: str, expected: str, partial: Path) -> None:
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        partial.unlink()
        raise TransferFailed(
            f"{name}: {path} arrived with the checksum {found[:12]}… and has {expected[:12]}… there; fetch it again"
        )


_TAKE = """\
umask 077
size=$(cat >>"$part" && wc -c <"$part") || exit
if [ "$((size))" != "$expected" ]; then echo "$((size)) of $expected bytes arrived" >&2; exit 75; fi
if [ -n "$sum" ]; then
case "$(sha256 <"$part")" in *"$sum"*) ;; *) rm -f -- "$part"; echo "the checksum is another one" >&2; exit 1 ;; esac
fi
chmod "$mode" "$part" && mv -f -- "$part" "$path\""""


def send(name: str, open_channel: Open, source: Path, path: str, *, verify: bool, progress: Progress | None) -> None:
    """Bring one file there; see :meth:`~towline.workers.transports.transport.Transport.send_file`."""
    if not source.is_file():
        raise InvalidRequest(f"{source} is no file and cannot be sent as one; send it as a tree")
    status = source.stat()
    folder, _, base = path.rpartition("/")
    part = f"{folder}/.{base}.{status.st_size}-{status.st_mtime_ns}{_SUFFIX}" if folder else f".{base}{_SUFFIX}"
    places = f"path={path_text(path)} part={path_text(part)}"
    start = _already_there(name, open_channel, f"mkdir -p -- {path_text(folder or '~')}\n{places}", status.st_size)
    checksum = ""
    if start or verify:
        with source.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    mode = f"{status.st_mode & 0o777:o}"
    script = "\n".join([SHA256, f"{places} expected={status.st_size} sum={checksum} mode={mode}", _TAKE])
    with open_channel(script, feed=lambda: _pieces(source, start, status.st_size, progress)) as channel:
        code, errors = channel.finish()
    if code:
        raise TransferFailed(f"{name}: {source} cannot be written to {path}: {errors.decode(errors='replace').strip()}")


def _already_there(name: str, open_channel: Open, places: str, size: int) -> int:
    script = f'{places}\nif [ -f "$part" ]; then wc -c <"$part"; else echo 0; fi'
    with open_channel(script) as channel:
        answer = channel.read(100)
        code, errors = channel.finish()
    if code:
        raise TransferFailed(f"{name}: files cannot be written there: {errors.decode(errors='replace').strip()}")
    start = int(answer)
    if start <= size:
        return start
    with open_channel(f'{places}\nrm -f -- "$part"') as channel:
        channel.finish()
    return 0


def _pieces(source: Path, start: int, size: int, progress: Progress | None) -> Iterator[bytes]:
    done = start
    with source.open("rb", buffering=0) as file:
        file.seek(start)
        while done < size and (data := file.read(min(_CHUNK_BYTES, size - done))):
            done += len(data)
            yield data
            if progress:
                progress(done, size)
