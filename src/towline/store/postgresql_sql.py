"""From the SQL of the store to the SQL of PostgreSQL: each text once.

Statements in `store/` are in the SQL that SQLite and PostgreSQL share, but for these, which are translated here:

=========================================================  ===========================================================
``?``                                                      ``$1``, ``$2``, ...
``X IN (SELECT value FROM json_each(?))``, and ``NOT IN``  ``= ANY`` and ``<> ALL`` of an array
``SELECT value FROM json_each(?)`` elsewhere               the rows of an array of numbers
``X IS ?``, ``X IS NOT ?``                                 ``IS [NOT] DISTINCT FROM``
``X GLOB ?``                                               a regular expression
``instr(X, ?)``                                             ``strpos``
``json_extract(CAST(X AS TEXT), ?) IS ?``, ``= json(?)``   jsonb, with ``X`` a column that holds a document
``+job.column``, and those of ``flow`` and ``event``        the column: the planner of PostgreSQL needs no such hint
``X IN (SELECT ... /* skip locked */)``                     ``FOR UPDATE SKIP LOCKED``, evaluated once
=========================================================  ===========================================================

A question mark in a literal is left alone.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

#: What becomes of a parameter before it is sent.
Converter = Callable[[Any], Any]


class Statement(NamedTuple):
    """A statement in the SQL of PostgreSQL."""

    text: str
    #: ``(position, converter)`` of the parameters that change.
    converters: tuple[tuple[int, Converter], ...]
    #: ``COPY`` that does the same for many rows, if there is one.
    copy: str | None

    def parameters(self, given: Sequence[Any]) -> Sequence[Any]:
        """`given` as they are sent."""
        if not self.converters:
            return given
        changed = list(given)
        for position, convert in self.converters:
            changed[position] = convert(changed[position])
        return changed


_LISTED = re.compile(r"([\w.]+) (NOT )?IN \(SELECT value FROM json_each\(\?\)\)")
_NUMBERS = "SELECT value FROM json_each(?)"
_COMPARED = re.compile(r"\bIS (NOT )?\?")
_GLOB = re.compile(r"\bGLOB \?")
_HINT = re.compile(r"(?<=[ (])\+(?=(?:job|flow|event)\.)")
_DOCUMENT = re.compile(
    r"(\(SELECT )?json_extract\(CAST\(([\w.]+) AS TEXT\), \?\)"
    r"((?(1) FROM job_document WHERE job_id = [\w.]+\))) (IS \?|= json\(\?\))"
)
# As an array, what is selected is selected once; inside of IN it may be selected again for each row, past its LIMIT.
_CLAIMED = re.compile(r"\bIN \((SELECT .*?) /\* skip locked \*/\)")
_SIMPLE_INSERT = re.compile(r"INSERT INTO (\w+ \([^()]*\)) VALUES \(\?(?:, \?)*\)")

# Marks of parameters that are converted; no statement contains them otherwise.
_PATTERN, _PATH, _SCALAR, _LIST = "\x01", "\x02", "\x03", "\x04"
_MARKS = re.compile(rf"'(?:[^']|'')*'|[?{_PATTERN}{_PATH}{_SCALAR}{_LIST}]")


@lru_cache(maxsize=4096)
def translated(sql: str) -> Statement:
    """A statement of the store in the SQL of PostgreSQL."""
    simple = _SIMPLE_INSERT.fullmatch(sql)
    text = _DOCUMENT.sub(_document, sql)
    text = _LISTED.sub(lambda found: f"{found[1]} {'<> ALL' if found[2] else '= ANY'} ({_LIST})", text)
    text = text.replace(_NUMBERS, "SELECT CAST(jsonb_array_elements_text(CAST(? AS JSONB)) AS BIGINT)")
    text = _GLOB.sub(f"~ {_PATTERN}", text)
    text = _COMPARED.sub(lambda found: f"IS {'' if found[1] else 'NOT '}DISTINCT FROM ?", text)
    text = _HINT.sub("", text).replace(" instr(", " strpos(").replace("(instr(", "(strpos(")
    text = _CLAIMED.sub(r"= ANY (ARRAY(\1 FOR UPDATE SKIP LOCKED))", text)
    converters: list[tuple[int, Converter]] = []
    parts, end = [], 0
    marks = [found for found in _MARKS.finditer(text) if not found[0].startswith("'")]
    for position, mark in enumerate(marks):
        parts.append(f"{text[end : mark.start()]}${position + 1}")
        end = mark.end()
        if mark[0] != "?":
            converters.append((position, _CONVERTERS[mark[0]]))
    return Statement(
        "".join([*parts, text[end:]]), tuple(converters), f"COPY {simple[1]} FROM STDIN" if simple else None
    )


def _document(found: re.Match[str]) -> str:
    opening, column, closing, operator = found[1] or "", found[2], found[3], found[4]
    # jsonb has no character 0: a document with one matches nothing.
    whole = f"CASE WHEN position('\\x5c7530303030'::bytea IN {column}) = 0 THEN convert_from({column}, 'UTF8') END"
    value = f"{opening}CAST({whole} AS JSONB) #> CAST({_PATH} AS TEXT[]){closing}"
    if operator == "= json(?)":
        return f"{value} = CAST(? AS JSONB)"
    return f"coalesce({value}, 'null') = ANY (CAST({_SCALAR} AS JSONB[]))"


def regular_expression(pattern: str) -> str:
    """The regular expression of PostgreSQL for a pattern of SQLite's GLOB."""
    parts, position = [], 0
    while position < len(pattern):
        character = pattern[position]
        end = pattern.find("]", position + 2 + pattern.startswith("[^", position)) if character == "[" else -1
        position += 1
        if end > 0:
            parts.append("[" + pattern[position:end].replace("\\", "\\\\").replace("[", "\\[") + "]")
            position = end + 1
        else:
            parts.append({"*": ".*", "?": "."}.get(character) or re.escape(character))
    return f"^(?:{''.join(parts)})$"


def _path(path: str) -> list[str]:
    """The names in a path of SQLite's JSON: ``$.metadata."a"."b"``."""
    return [name.strip('"') for name in re.findall(r'"[^"]*"|[^.$"]+', path)]


def _scalar(value: Any) -> list[str]:
    """The documents that SQLite takes for a value: to it, true is 1."""
    equal = [value, bool(value), int(value)] if isinstance(value, (bool, int)) and value in (0, 1) else [value]
    return [orjson.dumps(item).decode() for item in equal]


def _array(listed: str) -> str:
    """A JSON array of numbers or texts as an array of PostgreSQL, whose type is that of the column it stands beside."""
    if '"' not in listed:
        return f"{{{listed[1:-1]}}}"
    texts = [text.replace("\\", "\\\\").replace('"', '\\"') for text in map(str, orjson.loads(listed))]
    return "{" + ",".join(f'"{text}"' for text in texts) + "}"


_CONVERTERS: dict[str, Converter] = {
    _PATTERN: regular_expression,
    _PATH: _path,
    _SCALAR: _scalar,
    _LIST: _array,
}
