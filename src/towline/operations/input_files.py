"""Files that a user names as inputs of a command: found, checked, and turned into contents for its payload."""

import base64
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from towline.errors import InvalidRequest

#: What an input begins with that is on the worker already.
ON_WORKER = "worker:"

#: Files up to this size travel in the payload, so that they are as they were at the submission; and at most so many
#: bytes of them in one job.
SMALL_FILE_BYTES = 64 * 1024
SMALL_FILES_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileHere:
    """A file of this machine that a job is to have."""

    #: In the folder of the job.
    name: str
    #: Absolute.
    path: Path
    size_bytes: int
    mode: int
    modified_ns: int


@dataclass(slots=True)
class Inputs:
    """Everything that a job is to have in its folder."""

    files: dict[str, FileHere] = field(default_factory=dict)
    #: Folders without files.
    empty_folders: list[str] = field(default_factory=list)
    #: Paths on the worker, by their names in the folder of the job.
    on_worker: dict[str, str] = field(default_factory=dict)


#: Brings files to the worker and tells where they are there, by their names.
Stage = Callable[[Sequence[FileHere]], Mapping[str, str]]


def find_inputs(texts: Iterable[str]) -> Inputs:
    """The inputs that the texts of `--input` mean: ``PATH``, ``worker:/PATH``, and ``NAME=`` before either of them.

    A path below the present folder keeps its folders; of any other one the last part is the name.

    Raises
    ------
    InvalidRequest
        There is no such file, it cannot be read, or two of them would have the same name.
    """
    inputs = Inputs()
    for text in texts:
        name, path = _split(text)
        if path.startswith(ON_WORKER):
            _add_on_worker(inputs, name, path)
        else:
            add_path(inputs, name or _name_of(path), Path(path))
    _check_folders(inputs)
    return inputs


def add_path(inputs: Inputs, name: str, path: Path) -> None:
    """Add a file, or a folder with everything in it.

    Raises
    ------
    InvalidRequest
        There is no such file, it cannot be read, or another input has its name.
    """
    if path.is_dir():
        for relative, found in _walk(path):
            inner = name if relative == "." else relative if name == "." else f"{name}/{relative}"
            if found is None:
                inputs.empty_folders.append(inner)
            else:
                _add_file(inputs, inner, found)
    else:
        _add_file(inputs, name, path)


def contents(inputs: Inputs, stage: Stage | None = None) -> dict[str, Any]:
    """Contents for the payload of a command; see :mod:`towline.on_worker.command_inputs`.

    Parameters
    ----------
    stage
        Brings large files to the worker; None where the worker has the files of this machine.

    Raises
    ------
    InvalidRequest
        A file cannot be read.
    """
    found: dict[str, Any] = {name: {"folder": True} for name in inputs.empty_folders if name != "."}
    found |= {name: {"path": path, "link": True} for name, path in inputs.on_worker.items()}
    large: list[FileHere] = []
    room = SMALL_FILES_BYTES
    for item in sorted(inputs.files.values(), key=lambda item: item.size_bytes):
        if item.size_bytes <= min(SMALL_FILE_BYTES, room):
            room -= item.size_bytes
            found[item.name] = {"base64": base64.b64encode(_read(item)).decode(), "mode": item.mode}
        else:
            large.append(item)
    places = stage(large) if stage is not None and large else {}
    for item in large:
        place = places.get(item.name, str(item.path))
        found[item.name] = {"path": place, "size_bytes": item.size_bytes}
        if item.name not in places:
            found[item.name]["modified_ns"] = item.modified_ns
    return found


def _split(text: str) -> tuple[str, str]:
    """Name, or nothing, and path."""
    name, equals, path = text.partition("=")
    # A file may have this sign in its name.
    if not equals or os.path.lexists(text) or text.startswith(ON_WORKER):
        return "", text
    if not name or not path:
        raise InvalidRequest(f"the input {text!r} has nothing before or after its '='; write NAME=PATH")
    return name, path


def _name_of(path: str) -> str:
    absolute, here = os.path.abspath(path), str(Path.cwd())  # noqa: PTH100 - links on the way are kept
    if absolute == here:
        return "."
    if absolute.startswith(here.rstrip("/") + "/"):
        return os.path.relpath(absolute, here)
    name = PurePosixPath(absolute).name
    if not name:
        raise InvalidRequest(f"the input {path!r} has no name; name what is in it, or write NAME={path}")
    return name


def _add_on_worker(inputs: Inputs, name: str, text: str) -> None:
    path = text.removeprefix(ON_WORKER)
    if not path.startswith("/") or not PurePosixPath(path).name:
        raise InvalidRequest(f"{text!r} is no absolute path on the worker; write {ON_WORKER}/scratch/mesh.e")
    name = name or PurePosixPath(path).name
    _refuse_clash(inputs, name, text)
    inputs.on_worker[name] = path


def _add_file(inputs: Inputs, name: str, path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        if path.is_symlink():
            raise InvalidRequest(f"the input {path} is a link to {path.readlink()}, where nothing is") from error
        hint = f"; for a file on the worker write {ON_WORKER}/its/path" if str(path).startswith("/") else ""
        raise InvalidRequest(
            f"there is no input {str(path)!r} (looked in {Path.cwd()}): {error.strerror}{hint}"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise InvalidRequest(f"the input {path} is neither a file nor a folder; name others")
    if not os.access(path, os.R_OK):
        raise InvalidRequest(f"the input {path} cannot be read: its permissions are {stat.filemode(status.st_mode)}")
    _refuse_clash(inputs, name, str(path))
    mode = stat.S_IMODE(status.st_mode) | stat.S_IWUSR
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links on the way are kept
    inputs.files[name] = FileHere(name, absolute, status.st_size, mode, status.st_mtime_ns)


def _refuse_clash(inputs: Inputs, name: str, given: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"the name {name!r} is no UTF-8; give it another one: -i NAME={name!r}") from error
    other = inputs.on_worker.get(name) or (inputs.files[name].path if name in inputs.files else None)
    if other is not None and str(other) != os.path.abspath(given):  # noqa: PTH100
        raise InvalidRequest(
            f"two inputs would have the name {name!r}: {other} and {given}; give one of them another: -i NAME={given}"
        )


def _check_folders(inputs: Inputs) -> None:
    """Refuse a file whose name is that of a folder."""
    names = {**{name: str(item.path) for name, item in inputs.files.items()}, **inputs.on_worker}
    for name in names:
        for parent in PurePosixPath(name).parents:
            if str(parent) in names:
                raise InvalidRequest(
                    f"the inputs {names[str(parent)]} and {names[name]} would be {str(parent)!r} and {name!r}, a file "
                    "and something in it; give one of them another name: -i NAME=PATH"
                )


def _walk(folder: Path) -> Iterator[tuple[str, Path | None]]:
    """Files of a folder by their paths in it, links followed; folders without anything with None."""
    seen = {os.path.realpath(folder)}

    def refuse(error: OSError) -> None:
        raise InvalidRequest(f"the folder {error.filename} cannot be read: {error.strerror}") from error

    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        for name in list(folders):
            if Path(place, name).is_symlink():
                real = os.path.realpath(Path(place, name))
                if real in seen or os.path.realpath(place).startswith(real + "/"):
                    raise InvalidRequest(
                        f"{Path(place, name)} is a link to a folder that contains it, or that was taken before"
                    )
                seen.add(real)
        relative = os.path.relpath(place, folder)
        if not folders and not files:
            yield relative, None
        for name in sorted(files):
            yield os.path.normpath(f"{relative}/{name}"), Path(place, name)
        folders.sort()


def _read(item: FileHere) -> bytes:
    try:
        return item.path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"the input {item.path} cannot be read: {error.strerror}") from error
