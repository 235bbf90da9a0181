"""JSON documents of jobs, with what JSON has no words for: NaN, large integers, bytes, times, object ids.

Those are written as MongoDB's extended JSON writes them (``{"$numberDouble": "NaN"}``, ``{"$date": ...}``, ...), so
that a document is JSON for everybody who only passes it on, and comes back as it was for who decodes it here.
"""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from towline.errors import InvalidRequest

#: What orjson would write in a way of its own goes to our code instead.
STRICT = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS

#: Only a document with this text can hold extended JSON.
_SIGN = b'{"$'

_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1


class UnwritableValue(InvalidRequest):
    """A value has no place in a document.

    Attributes
    ----------
    path
        Keys and positions that lead to the value.
    """

    def __init__(self, path: tuple[str | int, ...], reason: str) -> None:
        super().__init__(f"{path_text(path)} {reason}")
        self.path = path
        self.reason = reason

    def inside(self, key: str | int) -> "UnwritableValue":
        """The same, seen from what holds the value under `key`."""
        return UnwritableValue((key, *self.path), self.reason)


def path_text(path: tuple[str | int, ...]) -> str:
    """`path` as it would be written in Python: ``['energies'][3]``."""
    return "".join(f"[{key!r}]" for key in path) or "it"


def encode(value: object) -> bytes:
    """`value` as one line of JSON.

    Raises
    ------
    UnwritableValue
        Something in it is neither JSON nor one of the types named above.
    """
    try:
        content = orjson.dumps(value, option=STRICT)
    except TypeError:
        return _encode_extended(value)
    # orjson writes NaN as null without a word, and a dictionary of the user may look like extended JSON.
    return content if b"null" not in content and _SIGN not in content else _encode_extended(value)


def decode(content: bytes) -> Any:
    """The value that :func:`encode` wrote."""
    value = orjson.loads(content)
    return _native(value) if _SIGN in content else value


def _encode_extended(value: object) -> bytes:
    try:
        return orjson.dumps(_extended(value))
    except RecursionError as error:
        raise UnwritableValue((), "is nested too deeply or contains itself") from error
    except TypeError as error:
        raise UnwritableValue((), f"cannot be written as JSON: {error}") from error


def _extended(value: object) -> Any:
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    for kind, write in _WRITERS_OF_SUBCLASSES:
        if isinstance(value, kind):
            return write(value)
    # bson is not imported for a type that hardly anybody uses.
    if type(value).__name__ == "ObjectId" and type(value).__module__ == "bson.objectid":
        return {"$oid": str(value)}
    raise UnwritableValue((), f"is of type {type(value).__module__}.{type(value).__qualname__}")


def _write_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    written = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise UnwritableValue((), f"has the key {key!r}, which is no text")
        try:
            written[_write_text(key)] = _extended(item)
        except UnwritableValue as error:
            raise error.inside(key) from None
    return {"$escaped": written} if len(written) == 1 and next(iter(written)) in _READERS else written


def _write_sequence(value: Sequence[Any]) -> list[Any]:
    written: list[Any] = []
    try:
        for item in value:
            written.append(_extended(item))
    except UnwritableValue as error:
        raise error.inside(len(written)) from None
    return written


def _write_text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise UnwritableValue((), f"is text that is not valid Unicode: {error.reason}") from error
    return str.__str__(value)


def _write_integer(value: int) -> int | dict[str, str]:
    whole = int(value)
    return whole if _SMALLEST_INTEGER <= whole <= _LARGEST_INTEGER else {"$numberLong": str(whole)}


def _write_float(value: float) -> float | dict[str, str]:
    if math.isfinite(value):
        return float(value)
    return {"$numberDouble": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def _write_bytes(value: bytes) -> dict[str, Any]:
    return {"$binary": {"base64": base64.b64encode(value).decode(), "subType": "00"}}


_WRITERS: Mapping[type, Callable[[Any], Any]] = {
    type(None): lambda value: value,
    bool: lambda value: value,
    str: _write_text,
    int: _write_integer,
    float: _write_float,
    dict: _write_mapping,
    list: _write_sequence,
    tuple: _write_sequence,
    bytes: _write_bytes,
    bytearray: _write_bytes,
    datetime: lambda value: {"$date": value.isoformat()},
    UUID: str,
}

#: An Enum may be any of the others too.
_WRITERS_OF_SUBCLASSES = ((Enum, lambda value: _extended(value.value)), *_WRITERS.items())


def _native(value: Any) -> Any:
    if isinstance(value, list):
        return [_native(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1:
            key, item = next(iter(value.items()))
            if key in _READERS:
                return _READERS[key](item)
        return {key: _native(item) for key, item in value.items()}
    return value


def _read_object_id(text: str) -> object:
    # Only a document that has one needs bson.
    from bson.objectid import ObjectId

    return ObjectId(text)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "$numberDouble": float,
    "$numberLong": int,
    "$binary": lambda item: base64.b64decode(item["base64"]),
    "$date": datetime.fromisoformat,
    "$oid": _read_object_id,
    "$escaped": lambda item: {key: _native(inner) for key, inner in item.items()},
}
