"""Project files that were found valid: the next command need not parse and check them again, which takes 0.1 s.

What was made of a file stands beside it, in ``.checked``, with the file's text and all else that had a part in it.
Whatever is wrong with it, it is as if it were not there. Nothing but towline's own classes comes out of it.
"""

import json
import os
import sys
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from towline.configuration import model
from towline.configuration.documents import write_text
from towline.configuration.secrets import has_reference
from towline.errors import ProjectUnreadable

FOLDER = ".checked"

_CLASSES = {name: class_ for name, class_ in vars(model).items() if isinstance(class_, type) and is_dataclass(class_)}


def recall(path: Path, text: str) -> model.Project | None:
    """The project that was made of `text` at `path` before; None when it has to be made."""
    try:
        with _place(path).open("rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            key, check, body = file.read().split(b"\n", 2)
        if key.decode() != _key(path, text) or int(check) != zlib.crc32(body):
            return None
        project = _unpacked(json.loads(body))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return project if isinstance(project, model.Project) else None


def remember(path: Path, text: str, project: model.Project) -> None:
    """Keep what was made of `text` at `path`, where that depends on nothing else."""
    # What is referred to may be another value the next time.
    if has_reference(text):
        return
    try:
        body = json.dumps(_packed(project))
        if _unpacked(json.loads(body)) == project:
            write_text(_place(path), f"{_key(path, text)}\n{zlib.crc32(body.encode())}\n{body}")
    except (TypeError, ValueError, RecursionError, ProjectUnreadable):
        return  # a folder that cannot be written, or a value that JSON does not give back


def forget(path: Path) -> None:
    """Delete what was made of `path`, and the folder when nothing is left in it."""
    place = _place(path)
    place.unlink(missing_ok=True)
    with suppress(OSError):
        place.parent.rmdir()


def _place(path: Path) -> Path:
    return path.parent / FOLDER / path.name


def _key(path: Path, text: str) -> str:
    """Everything that a checked project depends on: the file, where it is, whose home ~ is, and this code."""
    code = sorted(
        (entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(Path(__file__).parent) if entry.is_file()
    )
    return json.dumps([text, str(path), os.environ.get("HOME"), sys.version, code])


def _packed(value: Any) -> Any:
    """A value as JSON, with what JSON does not know told by the first item of a list."""
    if is_dataclass(value):
        known = {field.name: _packed(getattr(value, field.name)) for field in fields(value) if field.init}
        return ["object", type(value).__name__, known]
    if isinstance(value, Path):
        return ["path", str(value)]
    if isinstance(value, list | tuple):
        return [type(value).__name__, *map(_packed, value)]
    if isinstance(value, Mapping):
        return {key: _packed(item) for key, item in value.items()}
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unpacked(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    kind, *rest = value
    if kind == "object":
        name, known = rest
        return _CLASSES[name](**_unpacked(known))
    if kind == "path":
        return Path(rest[0])
    return {"list": list, "tuple": tuple}[kind](map(_unpacked, rest))
