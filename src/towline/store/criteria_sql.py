"""The part of criteria that a database can answer by itself, from columns and indexes.

The SQL selects every row that meets the criteria, and maybe some that do not; :func:`towline.store.criteria.matcher`
decides about those. In some rows a column does not tell the value. Conditions that find those rows stand apart, because
a database looks up each of two conditions in its index, and neither of them when they are joined by OR.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from towline.store.conditions import name_range
from towline.store.criteria import comparable, operators_in, regular_expression
from towline.store.regular_expressions import Part, needed

#: Up to here integers are the same whether they are stored as integers or as doubles.
_LARGEST_EXACT = 2**53

#: Reading a decimal number, SQLite may miss the nearest double by a few units in the last place.
_RELATIVE_SLACK = 1e-12

#: Names that stand in SQL, in a path of JSON and in JSON itself as they are.
_INDEXABLE_NAME = re.compile(r"[A-Za-z_@][A-Za-z0-9_@\- ]*")


#: Characters that no writer of JSON writes otherwise.
_PLAIN = re.compile(r"[A-Za-z0-9 _.:\-]+")


@dataclass(frozen=True, slots=True)
class SqlField:
    """A field of the criteria that the database knows.

    Parameters
    ----------
    expression
        SQL expression of the value. NULL for null and for a missing field.
    kind
        "text" or "number" for a column with values of that kind only, "json" for what ``json_extract`` gives, "key" for
        what :data:`KEY_FUNCTION` gives, "present" for what only tells by NULL that there is no value.
    unknown
        SQL condition for the rows where `expression` does not tell the value, or None when it always does.
    document
        SQL expression of the whole document, in bytes, where the value is part of one.
    """

    expression: str
    kind: str
    unknown: str | None = None
    document: str | None = None

    @property
    def exact(self) -> bool:
        """Whether the expression decides a condition for every row."""
        return self.unknown is None and self.kind in ("text", "number")


def text(value: str) -> str:
    """`value` as a literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def json_field(path: str, column: str = "body", row: str | None = None) -> SqlField | None:
    """The plain value at a path in the column `body`, as an index can hold it; None for a path with unusual names.

    With `row`, a table with a condition, the value in `column` of that row; its document may be missing.

    Where the path meets an array or ends in a subdocument, the expression is a blob that says: look in the body.
    """
    parts = path.split(".")
    if not all(_INDEXABLE_NAME.fullmatch(part) for part in parts):
        return None
    paths = ["$" + "".join(f'."{part}"' for part in parts[: length + 1]) for length in range(len(parts))]
    kinds = [f"json_type(CAST({column} AS TEXT), {text(path)})" for path in paths]
    odd = " OR ".join([*(f"{kind} = 'array'" for kind in kinds), f"{kinds[-1]} = 'object'"])
    expression = f"CASE WHEN {odd} THEN x'00' ELSE json_extract(CAST({column} AS TEXT), {text(paths[-1])}) END"
    if row is not None:
        expression, column = f"(SELECT {expression} FROM {row})", f"(SELECT {column} FROM {row})"
    return SqlField(expression, "json", f"{expression} = x'00'", column)


#: Length in characters of the texts by which an index of PostgreSQL finds documents; its entries have 2,700 bytes.
_KEY_LENGTH = 400

#: Makes the function of PostgreSQL that gives the plain value at a path as a text to compare with: NULL for null and
#: for a missing field, ``?`` for "look in the body". It never fails, whatever is in a document.
KEY_FUNCTION = f"""
CREATE OR REPLACE FUNCTION towline_key(body bytea, path text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    value jsonb;
    name text;
BEGIN
    value := convert_from(body, 'UTF8')::jsonb;
    FOREACH name IN ARRAY path LOOP
        IF jsonb_typeof(value) = 'array' THEN RETURN '?'; END IF;
        value := value -> name;
    END LOOP;
    RETURN CASE jsonb_typeof(value)
        WHEN 'string' THEN 's' || left(value #>> '{{}}', {_KEY_LENGTH})
        WHEN 'number' THEN 'n' || (value #>> '{{}}')::float8
        WHEN 'boolean' THEN 'b' || (value #>> '{{}}')
        WHEN 'array' THEN '?'
        WHEN 'object' THEN '?'
    END;
EXCEPTION WHEN OTHERS THEN
    RETURN '?';
END $$
"""


def key_field(path: str) -> SqlField | None:
    """The plain value at a path in the column `body`, as an index of PostgreSQL can hold it.

    None for a path with unusual names, as :func:`json_field` has it.
    """
    parts = path.split(".")
    if not all(_INDEXABLE_NAME.fullmatch(part) for part in parts):
        return None
    names = ",".join(f'"{part}"' for part in parts)
    expression = f"towline_key(body, {text(f'{{{names}}}')})"
    return SqlField(expression, "key", f"{expression} = '?'", "body")


def key_expression_field(path: str, column: str, row: str) -> SqlField | None:
    """What :func:`key_field` gives, for `column` of `row`, a table with a condition, and as an expression.

    Nothing has to be made in the database for it; an index needs the function.
    """
    parts = path.split(".")
    if not all(_INDEXABLE_NAME.fullmatch(part) for part in parts):
        return None
    paths = [text("{" + ",".join(f'"{part}"' for part in parts[: length + 1]) + "}") for length in range(len(parts))]
    # Numbers beyond those of float8 have more digits than that; jsonb has no character 0.
    value = f"value #>> {paths[-1]}"
    odd = " OR ".join(f"jsonb_typeof(value #> {part}) = 'array'" for part in paths)
    plain = (
        f"CASE jsonb_typeof(value #> {paths[-1]}) WHEN 'string' THEN 's' || left({value}, {_KEY_LENGTH}) "
        f"WHEN 'number' THEN CASE WHEN length({value}) < 300 THEN 'n' || CAST({value} AS FLOAT8) ELSE '?' END "
        f"WHEN 'boolean' THEN 'b' || ({value}) WHEN 'object' THEN '?' END"
    )
    parsed = f"(SELECT CAST(convert_from({column}, 'UTF8') AS JSONB) AS value OFFSET 0) AS parsed"
    found = f"SELECT CASE WHEN jsonb_typeof(value) = 'array' OR {odd} THEN '?' ELSE {plain} END FROM {parsed}"
    zero = f"position('\\x5c7530303030'::bytea IN {column}) > 0"
    expression = f"(SELECT CASE WHEN {column} IS NULL THEN NULL WHEN {zero} THEN '?' ELSE ({found}) END FROM {row})"
    return SqlField(expression, "key", f"{expression} = '?'", f"(SELECT {column} FROM {row})")


class Fields(Protocol):
    """What the database knows, such as ``{path: field}``."""

    def get(self, path: str, /) -> SqlField | None:
        """The field at a path."""


class Prefilter(NamedTuple):
    """A condition in SQL that every matching row meets, or else one of the conditions in `unknown`."""

    #: Empty when there is nothing to say: every row may match.
    sql: str
    parameters: list[Any]
    #: Whether only matching rows meet it, so that nothing is left to decide.
    exact: bool
    #: Conditions without parameters for rows of which the columns do not tell everything.
    unknown: frozenset[str] = frozenset()


_NOTHING = Prefilter("", [], exact=False)
_NEVER = Prefilter("1 = 0", [], exact=True)


def prefilter(criteria: Mapping[str, Any] | None, fields: Fields) -> Prefilter:
    """What `criteria` mean for the fields that the database knows.

    Parameters
    ----------
    criteria
        Criteria that :func:`towline.store.criteria.matcher` accepted.
    fields
        The field at a path; None where the database knows nothing.
    """
    return _join([_part(name, operand, fields) for name, operand in (criteria or {}).items()], "AND")


def _part(name: str, operand: Any, fields: Fields) -> Prefilter:
    if name in ("$and", "$or", "$nor"):
        joined = _join([prefilter(part, fields) for part in operand], "AND" if name == "$and" else "OR")
        return _negate(joined) if name == "$nor" else joined
    field = fields.get(name)
    return _NOTHING if field is None else _condition(field, operand)


def _condition(field: SqlField, operand: Any) -> Prefilter:
    if field.kind == "present":
        return _present(field, operand)
    if isinstance(operand, re.Pattern):
        return _found(field, operand)
    if not operators_in(operand):
        return _compared(field, "$eq", operand)
    parts = [_operator(field, name, value) for name, value in operand.items() if name not in _PATTERN]
    if "$regex" in operand:
        parts.append(_found(field, regular_expression(*(operand.get(name) for name in _PATTERN))))
    return _join(parts, "AND")


def _present(field: SqlField, operand: Any) -> Prefilter:
    if operand is None or operand == {"$eq": None}:
        return Prefilter(f"{field.expression} IS NULL", [], exact=True)
    if operand == {"$ne": None}:
        return Prefilter(f"{field.expression} IS NOT NULL", [], exact=True)
    # Without a value, nothing but null is found.
    if isinstance(operand, str | re.Pattern) or (operators_in(operand) and set(operand) <= _OF_VALUES):
        return Prefilter(f"{field.expression} IS NOT NULL", [], exact=False)
    return _NOTHING


def _operator(field: SqlField, name: str, operand: Any) -> Prefilter:
    if name in _NEGATIONS:
        return _negate(_compared(field, _NEGATIONS[name], operand))
    if name == "$not":
        return _negate(_condition(field, operand))
    return _compared(field, name, operand) if name in _COMPARISONS else _NOTHING


def _compared(field: SqlField, name: str, operand: Any) -> Prefilter:
    return _told(field, _COMPARISONS[name](field, operand))


def _told(field: SqlField, found: Prefilter) -> Prefilter:
    """A condition with the rows of which the field does not tell."""
    if not found.sql or field.unknown is None:
        return found
    return found._replace(exact=False, unknown=frozenset([field.unknown]))


def _join(parts: Sequence[Prefilter], word: str) -> Prefilter:
    said = [part for part in parts if part.sql]
    if word == "OR" and len(said) < len(parts):
        return _NOTHING
    return Prefilter(
        said[0].sql if len(said) == 1 else f" {word} ".join(f"({part.sql})" for part in said),
        [value for part in said for value in part.parameters],
        all(part.exact for part in parts),
        frozenset().union(*(part.unknown for part in said)),
    )


def _negate(part: Prefilter) -> Prefilter:
    # What may select too much would select too little when negated.
    return Prefilter(f"NOT coalesce(({part.sql}), 1 = 0)", part.parameters, exact=True) if part.exact else _NOTHING


def _equal(field: SqlField, operand: Any) -> Prefilter:
    value = comparable(operand)
    if value is None:
        return Prefilter(f"{field.expression} IS NULL", [], exact=True) if field.exact else _NOTHING
    kind = _kind(value)
    if kind is None:
        return _NOTHING
    if field.kind == "key":
        return _equal_key(field, value)
    if field.kind != "json":
        return Prefilter(f"{field.expression} = ?", [value], exact=True) if kind == field.kind else _NEVER
    if isinstance(value, float):
        return Prefilter(f"{field.expression} BETWEEN ? AND ?", [*_slack(value)], exact=False)
    return Prefilter(f"{field.expression} = ?", [value], exact=False)


def _equal_key(field: SqlField, value: Any) -> Prefilter:
    if isinstance(value, str):
        return Prefilter(f"{field.expression} = ?", [f"s{value[:_KEY_LENGTH]}"], exact=False)
    return Prefilter(f"{field.expression} = 'n' || CAST(? AS FLOAT8)", [value], exact=False)


def _in(field: SqlField, operand: Any) -> Prefilter:
    if not operand:
        return _NEVER
    values = [comparable(item) for item in operand if not isinstance(item, re.Pattern)]
    kinds = {_kind(value) for value in values}
    mixed = len(values) < len(operand) or len(kinds) > 1 or None in kinds
    if mixed or field.kind == "key" or (field.kind == "json" and any(isinstance(value, float) for value in values)):
        return _join([_item(field, item) for item in operand], "OR")
    if field.kind != "json" and kinds != {field.kind}:
        return _NEVER
    # One statement for every length of the list.
    sql = f"{field.expression} IN (SELECT value FROM json_each(?))"
    return Prefilter(sql, [orjson.dumps(values).decode()], exact=field.kind != "json")


def _item(field: SqlField, item: Any) -> Prefilter:
    return _found(field, item) if isinstance(item, re.Pattern) else _equal(field, item)


def _found(field: SqlField, pattern: "re.Pattern[str]") -> Prefilter:
    """What every text has in which a regular expression finds something: a beginning, and its longest literal part."""
    need = needed(pattern)
    conditions, values, parts = list[str](), list[Any](), need.parts
    if need.beginning and field.kind == "text":
        within, bounds = name_range(field.expression, need.beginning)
        conditions, values, parts = [within], list(bounds), need.parts[1:]
    if not parts:
        return _told(field, Prefilter(" AND ".join(conditions), values, exact=False)) if conditions else _NOTHING
    longest = max(parts, key=lambda part: len(part.text))
    conditions.append(_contains(field, longest))
    values.append(longest.text)
    plain = "" if longest.is_lowered else max(_PLAIN.findall(longest.text), key=len, default="")
    if field.document is not None and plain:
        # Looking for bytes is quick, and what a document does not contain is in no part of it.
        sql = f"{_holds(field)} AND ({' AND '.join(conditions)} OR {field.unknown})"
        return Prefilter(sql, [plain, *values], exact=False)
    return _told(field, Prefilter(" AND ".join(conditions), values, exact=False))


def _holds(field: SqlField) -> str:
    if field.kind == "key":
        return f"position(convert_to(?, 'UTF8') IN {field.document}) > 0"
    return f"instr({field.document}, CAST(? AS BLOB)) > 0"


def _contains(field: SqlField, part: Part) -> str:
    value = f"lower({field.expression})" if part.is_lowered else field.expression
    if field.kind != "key":
        return f"instr({value}, ?) > 0"
    # An index has the beginnings of texts.
    return f"(instr({value}, ?) > 0 OR length({field.expression}) > {_KEY_LENGTH})"


def _ordered(sign: str) -> Callable[[SqlField, Any], Prefilter]:
    def build(field: SqlField, operand: Any) -> Prefilter:
        value = comparable(operand)
        kind = _kind(value)
        if kind is None:
            return _NOTHING
        if field.kind == "key":
            return _ordered_key(field, sign, value)
        if field.kind != "json":
            return Prefilter(f"{field.expression} {sign} ?", [value], exact=True) if kind == field.kind else _NEVER
        if kind == "number":
            value = _slack(value)[sign.startswith("<")]
        return Prefilter(f"{field.expression} {sign[0]}= ?", [value], exact=False)

    return build


def _ordered_key(field: SqlField, sign: str, value: Any) -> Prefilter:
    if isinstance(value, str):
        return Prefilter(f"left({field.expression}, 1) = 's'", [], exact=False)
    # CASE, because the condition must not be tried on what is no number.
    number = f"CAST(substr({field.expression}, 2) AS FLOAT8) {sign[0]}= CAST(? AS FLOAT8)"
    sql = f"CASE WHEN left({field.expression}, 1) = 'n' THEN {number} ELSE FALSE END"
    return Prefilter(sql, [_slack(value)[sign.startswith("<")]], exact=False)


def _kind(value: Any) -> str | None:
    """Kind of a value that a parameter of SQL carries without loss."""
    if isinstance(value, str):
        return "text" if "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Infinity and NaN are no numbers in JSON.
    exact = math.isfinite(value) if isinstance(value, float) else abs(value) <= _LARGEST_EXACT
    return "number" if exact else None


def _slack(value: float) -> tuple[float, float]:
    reach = abs(value) * _RELATIVE_SLACK + 1e-300
    return value - reach, value + reach


_COMPARISONS: Mapping[str, Callable[[SqlField, Any], Prefilter]] = {
    "$eq": _equal,
    "$in": _in,
    "$gt": _ordered(">"),
    "$gte": _ordered(">="),
    "$lt": _ordered("<"),
    "$lte": _ordered("<="),
}

#: A regular expression, and how it is meant.
_PATTERN = ("$regex", "$options")

#: Operators that find nothing where there is no value.
_OF_VALUES = frozenset({"$regex", "$options", "$gt", "$gte", "$lt", "$lte", "$size"})

_NEGATIONS = {"$ne": "$eq", "$nin": "$in"}
