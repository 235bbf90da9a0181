"""Conditions of a search, as SQL with parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from towline.errors import InvalidRequest

if TYPE_CHECKING:
    from towline.store.criteria_sql import Prefilter

#: As a LIMIT: every row, in every database.
NO_LIMIT = 2**63 - 1

#: What more rows than this have as their name is looked for along the order of a list, not through the index of names.
MANY_NAMES = 1000


@dataclass(slots=True)
class Conditions:
    """Conditions that all have to hold."""

    texts: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, text: str, *parameters: Any) -> None:
        """One more condition, with the values of its question marks."""
        self.texts.append(text)
        self.parameters.extend(parameters)

    def add_one_of(self, column: str, values: Sequence[str]) -> None:
        """`column` has one of a few values, if there are any."""
        if values:
            self.add(f"{column} IN ({', '.join('?' * len(values))})", *values)

    def add_listed(self, expression: str, values: Sequence[object]) -> None:
        """`expression` is one of any number of values, if there are any."""
        if values:
            self.add(f"{expression} IN (SELECT value FROM json_each(?))", orjson.dumps(values).decode())

    def add_times(self, column: str, start: datetime | None, end: datetime | None) -> None:
        """`column` is between two times; local times when naive."""
        if start is not None:
            self.add(f"{column} >= ?", start.timestamp())
        if end is not None:
            self.add(f"{column} <= ?", end.timestamp())

    def add_metadata(self, document: str, path: str, wanted: Mapping[str, Any]) -> None:
        """A JSON document has these values below `path`; ``a.b`` is `b` inside of `a`."""
        for key, value in wanted.items():
            whole = path + "".join(f'."{part}"' for part in key.replace('"', "").split("."))
            nested = isinstance(value, Mapping | list | tuple)
            self.add(
                document.format(path="?") + (" = json(?)" if nested else " IS ?"),
                whole,
                orjson.dumps(value).decode() if nested else value,
            )

    def add_prefilter(self, condition: "Prefilter") -> None:
        """What criteria mean for the columns: the rows that meet them, and those of which the columns do not tell."""
        if condition.sql:
            parts = [condition.sql, *sorted(condition.unknown)]
            self.add(" OR ".join(f"({part})" for part in parts).join("()"), *condition.parameters)

    @property
    def where(self) -> str:
        """All of them, for WHERE."""
        return " AND ".join(self.texts) or "1 = 1"


def in_order(kind: str, state: str, times: str, meets: str, order: str) -> str:
    """A query for the jobs in a state on a worker, with their times, in the order of a list by changes.

    Parameters
    ----------
    kind
        Of the database.
    state
        As a literal; the worker is the first parameter.
    times, meets
        Conditions about the time of the last change, and about everything else.
    """
    mine = f"SELECT id, updated_at FROM job WHERE state = {state} AND worker = ? AND {times}"
    if not meets:
        return f"{mine} ORDER BY {order}"
    if kind != "postgresql":
        return f"{mine} AND {meets} ORDER BY {order}"
    # Without the fences it would walk along all jobs, whatever their states, as if those that are meant were scattered
    # evenly among them.
    return (
        f"SELECT mine.id, mine.updated_at FROM ({mine} ORDER BY {order} OFFSET 0) AS mine, "
        f"LATERAL (SELECT 1 FROM job WHERE job.id = mine.id AND {meets} OFFSET 0) AS meets "
        f"ORDER BY {order.replace('job.', 'mine.')}"
    )


def name_range(column: str, pattern: str) -> tuple[str, list[str]]:
    """Where in an index of names a pattern with ``*``, ``?`` or ``[...]`` can match: condition, and its parameters.

    What a database can find out by itself depends on its kind, and on whether it knows the pattern when it plans.
    """
    fixed = next((pattern[:end] for end, character in enumerate(pattern) if character in "*?["), pattern)
    if not fixed:
        return "1 = 1", []
    after = ord(fixed[-1]) + 1
    if after > 0x10FFFF:
        return f"{column} >= ?", [fixed]
    # The numbers of half a character are no characters.
    after = 0xE000 if after == 0xD800 else after
    return f"{column} >= ? AND {column} < ?", [fixed, fixed[:-1] + chr(after)]


def name_condition(name: str) -> tuple[str, str]:
    """Operator and operand that compare with a name, or with a pattern that has ``*``, ``?`` or ``[...]``.

    Raises
    ------
    InvalidRequest
        It is no text that a database takes: no job has such a name.
    """
    if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise InvalidRequest(f"the name {name!r} is no text that can be stored, so nothing has it; type another one")
    if any(character in name for character in "*?["):
        # Sets are negated with ! in patterns of files, with ^ in SQLite's.
        return "GLOB", name.replace("[!", "[^")
    return "=", name
