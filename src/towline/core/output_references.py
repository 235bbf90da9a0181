"""References to the outputs of other jobs, as they stand in JSON documents.

A reference is jobflow's serialized `OutputReference`: ``{"@class": "OutputReference", "uuid": ..., "attributes": [["a",
name] or ["i", key or position], ...]}``. Nothing here needs jobflow.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

#: Only a document with this text can hold a reference.
_SIGN = b'"OutputReference"'


def is_reference(value: object) -> bool:
    """Whether `value` is a serialized reference."""
    return isinstance(value, dict) and value.get("@class") == "OutputReference" and "uuid" in value


def uuids_in(content: bytes) -> list[str]:
    """Uuids of the jobs that a JSON document refers to, each once, in the order of the document."""
    if _SIGN not in content:
        return []
    return list(dict.fromkeys(_uuids(orjson.loads(content))))


def reachable(uuids: Iterable[str], outputs: Mapping[str, tuple[int, bytes]]) -> list[str]:
    """`uuids`, and those that their outputs refer to in turn, as far as `outputs` has them.

    The output of a job that was replaced by a flow consists of references to the outputs of that flow; whoever needs
    the one needs the others too.

    Parameters
    ----------
    outputs
        ``{uuid: (index, output as JSON)}``.
    """
    found = [uuid for uuid in dict.fromkeys(uuids) if uuid in outputs]
    known = set(found)
    for uuid in found:  # grows while it is gone through
        for inner in uuids_in(outputs[uuid][1]):
            if inner in outputs and inner not in known:
                known.add(inner)
                found.append(inner)
    return found


def resolve(value: Any, outputs: Mapping[str, Any]) -> Any:
    """`value` with every reference replaced by what it refers to.

    Parameters
    ----------
    outputs
        ``{uuid: decoded output}``.

    Raises
    ------
    LookupError
        An output is missing, or has no such key, position or attribute.
    """
    if isinstance(value, list):
        return [resolve(item, outputs) for item in value]
    if isinstance(value, dict):
        if is_reference(value):
            return _follow(value, outputs)
        return {key: resolve(item, outputs) for key, item in value.items()}
    return value


def _follow(reference: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    found = outputs[reference["uuid"]]
    for kind, key in reference.get("attributes", ()):
        if not isinstance(found, dict) and (kind != "i" or not isinstance(found, list)):
            raise LookupError(f"a {type(found).__name__} has no attribute {key!r}")
        try:
            found = found[key]
        except TypeError as error:
            raise LookupError(str(error)) from error
    return found


def _uuids(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _uuids(item)
    elif isinstance(value, dict):
        if is_reference(value):
            yield value["uuid"]
        else:
            for item in value.values():
                yield from _uuids(item)
