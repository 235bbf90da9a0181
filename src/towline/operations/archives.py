"""Archives of files with checksums: a folder, ``.tar.gz`` or ``.tar.zst``. What is read is checked first."""

import contextlib
import hashlib
import io
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

import orjson

from towline.errors import InvalidRequest

MANIFEST = "manifest.json"
_CHUNK_BYTES = 1024 * 1024


class ArchiveWriter:
    """Takes files in, and writes their checksums last."""

    def __init__(self, target: Path, tar: tarfile.TarFile | None) -> None:
        self._target = target
        self._tar = tar
        self._files: dict[str, dict[str, Any]] = {}

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a file with this content."""
        self._files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        self._put(name, io.BytesIO(content), len(content), 0o644)

    def add_file(self, name: str, source: Path) -> None:
        """Add a copy of a file."""
        with source.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
            stream.seek(0)
            self._files[name] = {"sha256": digest, "size_bytes": size}
            self._put(name, stream, size, source.stat().st_mode & 0o777)

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write the manifest: facts, and the checksum of every file."""
        content = orjson.dumps({**facts, "files": self._files}, option=orjson.OPT_INDENT_2)
        self._put(MANIFEST, io.BytesIO(content), len(content), 0o644)

    def _put(self, name: str, stream: IO[bytes], size: int, mode: int) -> None:
        if self._tar is None:
            path = self._target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(stream, file)
            path.chmod(mode)
            return
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, mode, int(time.time())
        self._tar.addfile(info, stream)


@contextlib.contextmanager
def write_archive(target: Path) -> Iterator[ArchiveWriter]:
    """Write an archive; its ending says which kind. Nothing is left of it when the block fails.

    Raises
    ------
    InvalidRequest
        It exists already, or its ending is that of no archive that can be written.
    """
    if target.exists():
        raise InvalidRequest(f"{target} exists already; choose another name, or remove it")
    kind = _kind(target)
    if not target.parent.is_dir():
        raise InvalidRequest(f"there is no folder {target.parent}; make it first")
    try:
        if kind == "folder":
            target.mkdir()
            yield ArchiveWriter(target, None)
        else:
            with _writing(target, kind) as tar:
                yield ArchiveWriter(target, tar)
    except BaseException:
        if target.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        else:
            target.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def unpacked(source: Path, scratch: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folder and the manifest of an archive whose checksums are right; unpacked in `scratch` for the time of use.

    Raises
    ------
    InvalidRequest
        It is no such archive, is damaged, or has a name in it that leads out of it.
    """
    if not source.exists():
        raise InvalidRequest(f"there is no {source}")
    if source.is_dir():
        yield source, _checked(source, source)
        return
    kind = _kind(source)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        try:
            with _reading(source, kind) as tar:
                for member in tar:
                    _extract(tar, member, scratch, source)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise InvalidRequest(f"{source} is damaged, or no archive: {error}") from error
        yield scratch, _checked(scratch, source)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, source: Path) -> None:
    if not member.isreg():
        raise InvalidRequest(f"{source} has {member.name!r}, which is no file: towline does not write such archives")
    path = folder / _inside(member.name, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = tar.extractfile(member)
    if stream is None:
        raise InvalidRequest(f"{source} has no content for {member.name!r}")
    with stream, path.open("xb") as file:
        shutil.copyfileobj(stream, file)
    path.chmod(member.mode & 0o777)


def _inside(name: str, source: Path) -> str:
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in name or "\0" in name:
        raise InvalidRequest(f"{source} has {name!r}, which leads out of it; nothing was imported")
    return name


def _checked(folder: Path, source: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
        files = manifest["files"]
        for name, facts in files.items():
            path = folder / _inside(name, source)
            if path.is_symlink() or not path.is_file():
                raise InvalidRequest(f"{source} is damaged: {name} is missing")
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest != facts["sha256"]:
                raise InvalidRequest(f"{source} is damaged: {name} is not what was exported")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(f"{source} has no manifest of towline: {error}") from error
    return manifest


def _kind(path: Path) -> str:
    name = path.name
    if name.endswith((".tar.gz", ".tgz")):
        return "gz"
    if name.endswith(".tar.zst"):
        return "zst"
    if "." in name.lstrip(".") and not path.is_dir():
        raise InvalidRequest(f"{path} is no kind of archive; end it with .tar.zst or .tar.gz, or give a folder")
    return "folder"


@contextlib.contextmanager
def _writing(target: Path, kind: str) -> Iterator[tarfile.TarFile]:
    if kind == "gz":
        with tarfile.open(target, "w:gz", format=tarfile.PAX_FORMAT) as tar:
            yield tar
        return
    compressor = _zstandard().ZstdCompressor(level=6)
    with (
        target.open("wb") as file,
        compressor.stream_writer(file) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        yield tar


@contextlib.contextmanager
def _reading(source: Path, kind: str) -> Iterator[tarfile.TarFile]:
    if kind == "gz":
        with tarfile.open(source, "r:gz") as tar:
            yield tar
        return
    library = _zstandard()
    try:
        with (
            source.open("rb") as file,
            library.ZstdDecompressor().stream_reader(file) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            yield tar
    except library.ZstdError as error:
        raise tarfile.ReadError(str(error)) from error


def _zstandard() -> Any:
    # An extra; .tar.gz and folders do without.
    try:
        import zstandard
    except ImportError as error:
        raise InvalidRequest(
            "for .tar.zst type: pip install 'towline[archive]'; or use .tar.gz, or a folder"
        ) from error
    return zstandard
