"""Criteria in MongoDB's query language, answered on documents in memory.

The answers are MongoDB's. What is not known here, or has an operand that makes no sense, is refused by name: the
alternative would be a wrong answer. ``docs/decisions`` says why this is not a library, and where maggma's MemoryStore
answers otherwise.
"""

import difflib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from towline.errors import InvalidCriteria
from towline.store.document_values import MISSING, path_parts, values_at

#: Whether a document meets the criteria.
Matcher = Callable[[Any], bool]

#: Whether one value does.
_Test = Callable[[Any], bool]

#: Whether the values at a path do.
_Condition = Callable[[Sequence[Any]], bool]

_COMBINATIONS = ("$and", "$or", "$nor")


def matcher(criteria: Mapping[str, Any] | None) -> Matcher:
    """What decides whether a document meets `criteria`; None and an empty mapping are met by every document.

    Raises
    ------
    InvalidCriteria
        An operator is not supported or an operand makes no sense.
    """
    try:
        return _matcher({} if criteria is None else criteria)
    except RecursionError as error:
        raise InvalidCriteria("the criteria are nested too deeply, or contain themselves.") from error


def comparable(value: Any) -> Any:
    """`value` as it stands in stored documents: times in UTC, without a time zone, in milliseconds.

    Raises
    ------
    InvalidCriteria
        No document holds a value of this type.
    """
    if value is None or isinstance(value, (bool, bytes)):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, datetime):
        return stored_time(value)
    if isinstance(value, float):
        return float(value)
    if hasattr(value, "__index__"):  # int, and the integers of numpy
        return operator.index(value)
    if isinstance(value, Mapping):
        return {_literal_name(name, value): comparable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [comparable(item) for item in value]
    # bson is not imported for a type that hardly anybody uses.
    if type(value).__name__ == "ObjectId":
        return value
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise InvalidCriteria(f"{value!r} is of type {kind}, which no document holds; write text, a number or a time.")


def stored_time(time: datetime) -> datetime:
    """A time as MongoDB keeps it: in UTC, without a time zone, in milliseconds."""
    if time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def operators_in(value: Any) -> bool:
    """Whether `value` is a mapping of operators, like ``{"$gt": 1}``, and no subdocument to compare with."""
    return isinstance(value, Mapping) and any(isinstance(name, str) and name.startswith("$") for name in value)


_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}


def regular_expression(operand: Any, options: Any = None) -> "re.Pattern[str]":
    """What `$regex` with `$options`, or a compiled expression, looks for.

    Raises
    ------
    InvalidCriteria
        It is no regular expression, or the options are not known.
    """
    if options is not None and (not isinstance(options, str) or not set(options) <= set(_FLAGS)):
        raise InvalidCriteria(f"$options needs some of the letters {''.join(_FLAGS)}, not {options!r}.")
    flags = re.NOFLAG
    for letter in options or "":
        flags |= _FLAGS[letter]
    text = operand
    if isinstance(operand, re.Pattern):
        text, flags = operand.pattern, flags | re.RegexFlag(operand.flags)
    if not isinstance(text, str):
        raise InvalidCriteria(f"$regex needs a regular expression as text, not {operand!r}.")
    try:
        return re.compile(text, flags)
    except (re.error, OverflowError) as error:
        raise InvalidCriteria(f"{text!r} is no regular expression: {error}.") from error


def _matcher(criteria: Any) -> Matcher:
    if not isinstance(criteria, Mapping):
        raise InvalidCriteria(f"criteria are a mapping like {{'name': 'relax'}}, not {criteria!r}.")
    matchers = [_part(name, operand) for name, operand in criteria.items()]
    if len(matchers) == 1:
        return matchers[0]
    return lambda document: all(part(document) for part in matchers)


def _part(name: Any, operand: Any) -> Matcher:
    if isinstance(name, str) and name.startswith("$"):
        if name not in _COMBINATIONS:
            raise _refused(name, "it does not stand beside field names")
        return _combination(name, operand)
    parts = path_parts(name)
    condition = _condition(operand)
    if len(parts) == 1:
        return lambda document: condition((document.get(parts[0], MISSING),))
    return lambda document: condition(values_at(document, parts))


def _combination(name: str, operand: Any) -> Matcher:
    if not isinstance(operand, (list, tuple)) or not operand:
        raise InvalidCriteria(f"{name} needs a list of criteria that is not empty, not {operand!r}.")
    matchers = [_matcher(part) for part in operand]
    if name == "$and":
        return lambda document: all(part(document) for part in matchers)
    if name == "$or":
        return lambda document: any(part(document) for part in matchers)
    return lambda document: not any(part(document) for part in matchers)


def _condition(operand: Any, *, expand: bool = True) -> _Condition:
    """The condition on the values at a path.

    Parameters
    ----------
    expand
        Whether an array meets a condition when one of its elements does.
    """
    if not operators_in(operand):
        return _some(_pattern_or_equal(operand), expand)
    options = operand.get("$options")
    if "$options" in operand and "$regex" not in operand:
        raise InvalidCriteria("$options stands beside $regex only.")
    conditions = [_operator(name, value, options, expand) for name, value in operand.items() if name != "$options"]
    if len(conditions) == 1:
        return conditions[0]
    return lambda values: all(condition(values) for condition in conditions)


def _operator(name: Any, operand: Any, options: Any, expand: bool) -> _Condition:
    if name == "$regex":
        return _some(_matches(regular_expression(operand, options)), expand)
    if name not in _OPERATORS:
        raise _refused(name, "it is no operator of a field")
    return _OPERATORS[name](operand, expand)


def _refused(name: Any, reason: str) -> InvalidCriteria:
    known = sorted([*_COMBINATIONS, *_OPERATORS, "$regex", "$options"])
    near = difflib.get_close_matches(str(name), known)
    hint = f" Did you mean {' or '.join(near)}?" if near and name not in known else ""
    return InvalidCriteria(f"{name!r} cannot be used here: {reason}.{hint} Operators: {', '.join(known)}.")


def _some(test: _Test, expand: bool) -> _Condition:
    """Met when one value meets `test`, or one element of an array."""

    def condition(values: Sequence[Any]) -> bool:
        for value in values:
            if test(value):
                return True
            if expand and isinstance(value, (list, tuple)) and any(map(test, value)):
                return True
        return False

    return condition


def _none(condition: _Condition) -> _Condition:
    return lambda values: not condition(values)


def _pattern_or_equal(operand: Any) -> _Test:
    return _matches(regular_expression(operand)) if isinstance(operand, re.Pattern) else _equal(operand)


def _equal(operand: Any) -> _Test:
    wanted = comparable(operand)
    if wanted is None:
        return lambda value: value is None or value is MISSING
    if isinstance(wanted, bool):
        return lambda value: value is wanted
    if isinstance(wanted, (str, bytes)):
        return lambda value: bool(value == wanted)
    return lambda value: _same(value, wanted)


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return (
            isinstance(value, dict)
            and value.keys() == wanted.keys()
            and all(_same(value[name], item) for name, item in wanted.items())
        )
    if isinstance(wanted, list):
        return isinstance(value, (list, tuple)) and len(value) == len(wanted) and all(map(_same, value, wanted))
    # True is 1 for Python, and is not for MongoDB.
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    if isinstance(wanted, float) and wanted != wanted:
        return isinstance(value, float) and value != value
    return bool(value == wanted)


def _literal_name(name: Any, value: Any) -> str:
    if not isinstance(name, str):
        raise InvalidCriteria(f"{value!r} has the key {name!r}, which is no text.")
    if name.startswith("$"):
        raise _refused(name, f"it stands inside the value {value!r}; write the path with dots: 'a.b'")
    return name


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def _ordered(name: str) -> Callable[[Any, bool], _Condition]:
    order = _ORDERS[name]

    def build(operand: Any, expand: bool) -> _Condition:
        wanted = comparable(operand)
        if wanted is None or wanted != wanted or isinstance(wanted, (dict, list)):
            raise InvalidCriteria(f"{name} compares numbers, text and times; {operand!r} is none of them.")
        if isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
            return _some(
                lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and order(value, wanted),
                expand,
            )
        kind = type(wanted)
        return _some(lambda value: isinstance(value, kind) and order(value, wanted), expand)

    return build


def _list(name: str, operand: Any) -> Sequence[Any]:
    if not isinstance(operand, (list, tuple)):
        raise InvalidCriteria(f"{name} needs a list, not {operand!r}.")
    return operand


def _in(operand: Any, expand: bool) -> _Condition:
    wanted = _list("$in", operand)
    words = {str.__str__(item) for item in wanted if isinstance(item, str)}
    tests = [_pattern_or_equal(item) for item in wanted if not isinstance(item, str)]

    def test(value: Any) -> bool:
        return (isinstance(value, str) and value in words) or any(other(value) for other in tests)

    return _some(test, expand)


def _all(operand: Any, expand: bool) -> _Condition:
    wanted = _list("$all", operand)
    if not wanted:
        raise InvalidCriteria("$all needs a list that is not empty.")
    conditions = []
    for item in wanted:
        if operators_in(item):
            if set(item) != {"$elemMatch"}:
                raise _refused(next(name for name in item if name != "$elemMatch"), "inside $all only $elemMatch does")
            conditions.append(_element_match(item["$elemMatch"], expand))
        else:
            conditions.append(_some(_pattern_or_equal(item), expand))
    return lambda values: all(condition(values) for condition in conditions)


def _element_match(operand: Any, _expand: bool) -> _Condition:
    if not isinstance(operand, Mapping) or not operand:
        raise InvalidCriteria(f"$elemMatch needs criteria or operators, not {operand!r}.")
    if any(isinstance(name, str) and name.startswith("$") and name not in _COMBINATIONS for name in operand):
        condition = _condition(operand, expand=False)
        return _in_array(lambda item: condition((item,)))
    whole = _matcher(operand)
    return _in_array(lambda item: isinstance(item, (dict, list, tuple)) and whole(_as_document(item)))


def _as_document(item: Any) -> Any:
    """An array inside an array is a document with positions for names."""
    return item if isinstance(item, dict) else {str(position): value for position, value in enumerate(item)}


def _in_array(test: _Test) -> _Condition:
    return lambda values: any(isinstance(value, (list, tuple)) and any(map(test, value)) for value in values)


def _not(operand: Any, expand: bool) -> _Condition:
    if not isinstance(operand, re.Pattern) and not operators_in(operand):
        raise InvalidCriteria(f"$not needs operators or a regular expression, not {operand!r}; write $ne for a value.")
    return _none(_condition(operand, expand=expand))


def _exists(operand: Any, _expand: bool) -> _Condition:
    if not isinstance(operand, (bool, int)):
        raise InvalidCriteria(f"$exists needs true or false, not {operand!r}.")
    wanted = bool(operand)
    return lambda values: any(value is not MISSING for value in values) is wanted


def _size(operand: Any, _expand: bool) -> _Condition:
    if not isinstance(operand, int) or isinstance(operand, bool) or operand < 0:
        raise InvalidCriteria(f"$size needs a number of elements, not {operand!r}.")
    return lambda values: any(isinstance(value, (list, tuple)) and len(value) == operand for value in values)


def _matches(pattern: "re.Pattern[str]") -> _Test:
    search = pattern.search
    return lambda value: isinstance(value, str) and search(value) is not None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_INT32 = range(-(2**31), 2**31)

#: Names and numbers of MongoDB's types, and what is of that type.
_TYPES: Mapping[str | int, _Test] = {
    name: test
    for names, test in (
        (("double", 1), lambda value: isinstance(value, float)),
        (("string", 2), lambda value: isinstance(value, str)),
        (("object", 3), lambda value: isinstance(value, dict)),
        (("array", 4), lambda value: isinstance(value, (list, tuple))),
        (("binData", 5), lambda value: isinstance(value, bytes)),
        (("objectId", 7), lambda value: type(value).__name__ == "ObjectId"),
        (("bool", 8), lambda value: isinstance(value, bool)),
        (("date", 9), lambda value: isinstance(value, datetime)),
        (("null", 10), lambda value: value is None),
        (("int", 16), lambda value: _is_integer(value) and value in _INT32),
        (("long", 18), lambda value: _is_integer(value) and value not in _INT32),
        (("number",), lambda value: isinstance(value, float) or _is_integer(value)),
    )
    for name in names
}


def _type(operand: Any, expand: bool) -> _Condition:
    names = operand if isinstance(operand, (list, tuple)) else [operand]
    conditions = []
    for name in names:
        if isinstance(name, bool) or not isinstance(name, (str, int)) or name not in _TYPES:
            known = ", ".join(name for name in _TYPES if isinstance(name, str))
            raise InvalidCriteria(f"$type does not know {name!r}; it knows {known}.")
        # An array is of type "array" itself; of every other type, because of its elements.
        conditions.append(_some(_TYPES[name], expand and name not in ("array", 4)))
    if not conditions:
        raise InvalidCriteria("$type needs at least one type.")
    return lambda values: any(condition(values) for condition in conditions)


_OPERATORS: Mapping[str, Callable[[Any, bool], _Condition]] = {
    "$eq": lambda operand, expand: _some(_equal(operand), expand),
    "$ne": lambda operand, expand: _none(_some(_equal(operand), expand)),
    "$in": _in,
    "$nin": lambda operand, expand: _none(_in(_list("$nin", operand), expand)),
    **{name: _ordered(name) for name in _ORDERS},
    "$exists": _exists,
    "$not": _not,
    "$size": _size,
    "$all": _all,
    "$elemMatch": _element_match,
    "$type": _type,
}
