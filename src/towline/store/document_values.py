"""Values in JSON documents by dotted paths: finding them, ordering them, taking only some of them.

Paths go through arrays as MongoDB's do: ``a.b`` is the field ``b`` of ``a``, or of each subdocument in the array ``a``,
and ``a.0`` is the first element of an array. Documents are what JSON decodes to: dictionaries, lists and scalars.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from towline.errors import InvalidCriteria


class Missing:
    """Stands where a document has no value."""

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = Missing()


def path_parts(path: object) -> tuple[str, ...]:
    """The field names of a dotted path.

    Raises
    ------
    InvalidCriteria
        It is no text, or has an empty name or one that starts with ``$``.
    """
    if not isinstance(path, str):
        raise InvalidCriteria(f"{path!r} is no field name; write it as text.")
    parts = tuple(path.split("."))
    if not all(parts):
        raise InvalidCriteria(f"the path {path!r} has an empty field name; write names with a dot between them: 'a.b'.")
    if any(part.startswith("$") for part in parts):
        raise InvalidCriteria(f"the path {path!r} has a name with $, which is neither a field nor an operator here.")
    return parts


def values_at(document: Any, parts: Sequence[str]) -> list[Any]:
    """The values that a path leads to; an array at its end is one value.

    :data:`MISSING` stands for each subdocument that lacks the field. The list is empty when the path enters an array
    without any subdocument.
    """
    value = document
    for position, part in enumerate(parts):
        if isinstance(value, dict):
            value = value.get(part, MISSING)
        elif isinstance(value, (list, tuple)):
            return _values_in(value, parts[position:])
        else:
            return [MISSING]
    return [value]


def _values_in(array: Sequence[Any], parts: Sequence[str]) -> list[Any]:
    part, rest = parts[0], parts[1:]
    if not (part.isascii() and part.isdecimal()):
        return [found for item in array if isinstance(item, dict) for found in values_at(item, parts)]
    found = [value for item in array if isinstance(item, dict) and part in item for value in values_at(item, parts)]
    position = int(part)
    if position < len(array):
        item = array[position]
        if not rest or isinstance(item, (dict, list, tuple)):
            found.extend(values_at(item, rest))
    return found


#: Ranks of the kinds of values in MongoDB's order; an empty array stands before everything.
_EMPTY_ARRAY, _NULL, _NUMBER, _TEXT, _DOCUMENT, _ARRAY, _BYTES, _OBJECT_ID, _BOOLEAN, _TIME = range(10)

_RANKS: Mapping[type, int] = {int: _NUMBER, float: _NUMBER, str: _TEXT, bool: _BOOLEAN}


def order_key(value: Any) -> tuple[Any, ...]:
    """Key that puts values of any kinds into MongoDB's order: null, numbers, text, documents, arrays, ..."""
    rank = _RANKS.get(type(value))
    if rank is not None:
        # NaN is smaller than every number, and no number compares with it.
        return (rank, 1, value) if value == value else (rank, 0)
    if value is None or value is MISSING:
        return (_NULL,)
    if isinstance(value, dict):
        return (_DOCUMENT, tuple((order_key(item)[0], name, order_key(item)) for name, item in value.items()))
    if isinstance(value, (list, tuple)):
        return (_ARRAY, tuple(order_key(item) for item in value))
    if isinstance(value, bytes):
        return (_BYTES, len(value), value)
    if isinstance(value, datetime):
        return (_TIME, value)
    return (_OBJECT_ID, str(value))


def sort_key(document: Any, parts: Sequence[str], *, descending: bool) -> tuple[Any, ...]:
    """Key of a document for sorting by a path: of an array, its smallest element counts, or its largest."""
    values = values_at(document, parts)
    if len(values) == 1 and not isinstance(values[0], (list, tuple)):
        return order_key(values[0])
    keys = []
    for value in values:
        if not isinstance(value, (list, tuple)):
            keys.append(order_key(value))
        elif value:
            keys.extend(order_key(item) for item in value)
        else:
            keys.append((_EMPTY_ARRAY,))
    if not keys:
        return (_NULL,)
    return max(keys) if descending else min(keys)


class Projection:
    """Which fields of a document to give back.

    Parameters
    ----------
    properties
        Paths to include, or ``{path: 1}`` to include and ``{path: 0}`` to exclude; ``_id`` is included unless it is
        excluded. None or empty for everything.

    Raises
    ------
    InvalidCriteria
        Fields to include and to exclude are mixed, one path contains another, or a value is neither 0 nor 1.
    """

    def __init__(self, properties: Mapping[str, Any] | Sequence[str] | None) -> None:
        wanted = _flags(properties)
        self._id = wanted.pop("_id", None)
        if len(set(wanted.values())) > 1:
            raise InvalidCriteria(f"properties {properties!r} include and exclude fields; do one of the two.")
        self._include = next(iter(wanted.values()), bool(self._id))
        self._everything = not wanted and not self._id
        self._tree = _tree(wanted)

    def __call__(self, document: dict[str, Any]) -> dict[str, Any]:
        """The chosen fields of `document`."""
        if self._everything:
            if self._id is False:
                document.pop("_id", None)
            return document
        chosen = _project(document, self._tree, include=self._include)
        if self._id is False:
            chosen.pop("_id", None)
        elif "_id" in document:
            chosen["_id"] = document["_id"]
        return chosen


def _flags(properties: Mapping[str, Any] | Sequence[str] | None) -> dict[str, bool]:
    if properties is None:
        return {}
    if isinstance(properties, Mapping):
        for path, flag in properties.items():
            if not isinstance(flag, (bool, int)):
                raise InvalidCriteria(f"properties has {path!r}: {flag!r}; 1 includes a field, 0 excludes it.")
        return {path: bool(flag) for path, flag in properties.items()}
    if isinstance(properties, (list, tuple, set, frozenset)):
        return dict.fromkeys(properties, True)
    raise InvalidCriteria(f"properties is {properties!r}; write a list of fields.")


def _tree(wanted: Mapping[str, bool]) -> dict[str, Any]:
    """Paths as nested dictionaries; None ends a path."""
    tree: dict[str, Any] = {}
    for path in wanted:
        *parents, last = path_parts(path)
        node: dict[str, Any] | None = tree
        for part in parents:
            node = None if node is None else node.setdefault(part, {})
        if node is None or last in node:
            raise InvalidCriteria(f"properties name {path!r} and a part of it; keep one of them.")
        node[last] = None
    return tree


def _project(document: Mapping[str, Any], tree: Mapping[str, Any], *, include: bool) -> dict[str, Any]:
    chosen = {}
    for name, value in document.items():
        if name not in tree:
            if not include:
                chosen[name] = value
        elif tree[name] is None:
            if include:
                chosen[name] = value
        elif isinstance(value, (dict, list, tuple)):
            chosen[name] = _project_value(value, tree[name], include=include)
        elif not include:
            chosen[name] = value
    return chosen


def _project_value(value: Any, tree: Mapping[str, Any], *, include: bool) -> Any:
    if isinstance(value, dict):
        return _project(value, tree, include=include)
    if isinstance(value, (list, tuple)):
        return [
            _project_value(item, tree, include=include)
            for item in value
            if not include or isinstance(item, (dict, list, tuple))
        ]
    return value
