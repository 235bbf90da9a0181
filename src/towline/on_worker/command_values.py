"""Values that are read from what a command wrote: by a pattern from text, by a key from JSON, by a column from CSV.

``values`` of the payload is ``{name: {"file": ..., "pattern" | "key" | "column": ..., "row": ...}}``. Without a file,
standard output is read. What reads like a number becomes one.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from towline.core.run_folder import output_files
from towline.on_worker.command_payload import Command, UnusableCommand, inside

#: No more than this is read, from the end of a file; of JSON, which has to be whole, too.
READ_BYTES = 1 << 20

_INTEGER = re.compile(r"[+-]?\d+\Z")
#: Fortran writes exponents with a D.
_FORTRAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))[dD]([+-]?\d+)\Z")

_KINDS = ("pattern", "key", "column")


def check_value(name: str, rule: Mapping[str, Any]) -> None:
    """Refuse a rule that says nothing.

    Raises
    ------
    UnusableCommand
        It does not have one of pattern, key and column, or the pattern is none.
    """
    kinds = [kind for kind in _KINDS if rule.get(kind) is not None]
    strange = rule.keys() - {"file", "row", *_KINDS}
    if len(kinds) != 1 or strange or ("row" in rule and kinds != ["column"]):
        raise UnusableCommand(
            f"the value {name!r} is {dict(rule)!r}; give one of pattern, key and column, with a file where it is not "
            "standard output, and row with column"
        )
    if "pattern" in rule:
        try:
            re.compile(rule["pattern"])
        except (re.error, TypeError) as error:
            raise UnusableCommand(f"the pattern of the value {name!r} is none: {error}") from error
    if not isinstance(rule.get("row", -1), int):
        raise UnusableCommand(f"the row of the value {name!r} is {rule['row']!r}; give a whole number, -1 for the last")
    if rule.get("file") is not None:
        inside(rule["file"])


def value_files(command: Command) -> list[str]:
    """Files in the run folder that values are read from."""
    rules = command.payload.get("values") or {}
    return list(dict.fromkeys(_file_of(rule, command) for rule in rules.values()))


def values_of(command: Command, read: Callable[[str], bytes]) -> dict[str, Any]:
    """The values of a command.

    Parameters
    ----------
    read
        Gives the last :data:`READ_BYTES` of a file in the run folder.

    Raises
    ------
    UnusableCommand
        A value is not there.
    OSError
        A file cannot be read.
    """
    rules = command.payload.get("values") or {}
    return {name: value_in(read(_file_of(rule, command)), name, rule) for name, rule in rules.items()}


def value_in(content: bytes, name: str, rule: Mapping[str, Any]) -> Any:
    """The value that a rule means in the content of a file.

    Raises
    ------
    UnusableCommand
        It is not there.
    """
    where = rule.get("file") or "standard output"
    try:
        if "pattern" in rule:
            return _by_pattern(content, rule["pattern"])
        if "key" in rule:
            return _by_key(content, str(rule["key"]))
        return _by_column(content, str(rule["column"]), rule.get("row", -1))
    except LookupError as error:
        raise UnusableCommand(f"the value {name!r} is not in {where}: {error.args[0]}") from error


def _file_of(rule: Mapping[str, Any], command: Command) -> str:
    return rule.get("file") or output_files(command.header.get("resources"))[0]


def _by_pattern(content: bytes, pattern: str) -> Any:
    found = deque(re.finditer(pattern, content.decode(errors="replace"), re.MULTILINE), maxlen=1)
    if not found:
        raise LookupError(f"nothing matches {pattern!r}")
    last = found[0]
    return _number(last[1] if last.re.groups else last[0])


def _by_key(content: bytes, key: str) -> Any:
    try:
        found = orjson.loads(content)
    except ValueError as error:
        raise LookupError(f"it is no JSON: {error}") from error
    for part in key.split("."):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (LookupError, ValueError, TypeError) as error:
            raise LookupError(f"it has no {key!r}") from error
    return found


def _by_column(content: bytes, column: str, row: int) -> Any:
    rows = list(csv.reader(io.StringIO(content.decode(errors="replace")), skipinitialspace=True))
    rows = [cells for cells in rows if cells]
    heads = [head.strip() for head in rows[0]] if rows else []
    if column not in heads:
        raise LookupError(f"it has no column {column!r} but {', '.join(heads) or 'nothing'}")
    try:
        return _number(rows[1:][row][heads.index(column)].strip())
    except IndexError:
        raise LookupError(f"it has no row {row} in column {column!r}") from None


def _number(text: str) -> Any:
    if _INTEGER.match(text):
        return int(text)
    fortran = _FORTRAN.match(text)
    try:
        return float(f"{fortran[1]}e{fortran[2]}" if fortran else text)
    except ValueError:
        return text
