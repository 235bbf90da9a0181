"""The remedies of a physics: which failures there are, what they look like, and what is changed then.

They are data: ``remedies.toml`` in the folder of the physics, and the one that it shares with its neighbours. An entry
of the physics completes the shared entry of the same name, key by key.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from towline.core.retry_policy import REASONS
from towline.errors import ConfigurationError
from towline.simulations.application import Scalar


@dataclass(frozen=True)
class Change:
    """What a remedy does to one parameter; exactly one of the first three is given."""

    parameter: str
    multiply: float | None = None
    add: float | None = None
    set: Scalar | None = None
    minimum: float | None = None
    """The new value is not below this; a value that is below it already stays."""
    maximum: float | None = None
    number: str = ""
    """A number that the failed checks have to give; the change is made only if it is at least ``at_least``."""
    at_least: float | None = None


@dataclass(frozen=True)
class Remedy:
    """One class of failures."""

    failure: str
    """Its name, as ``SOLVER_DIVERGENCE``."""
    title: str
    advice: str
    """What a person can do."""
    patterns: tuple[re.Pattern[str], ...] = ()
    """Any of these, in what ended the run, is evidence."""
    error_block: bool = False
    """Whether a pattern counts only after ``*** ERROR ***``: the same words may stand in warnings."""
    solver_reasons: tuple[str, ...] = ()
    """What PETSc said of the last solve; evidence if the run ended with it."""
    not_a_number: bool = False
    """Whether a residual of the last try that is no number is evidence."""
    reasons: tuple[str, ...] = ()
    """What accounting says, in the words of :data:`towline.core.retry_policy.REASONS`."""
    exit_codes: tuple[int, ...] = ()
    excerpt: str = ""
    """Of a real log."""
    excerpt_source: str = ""
    changes: tuple[Change, ...] = ()
    """Of numerical parameters; those that the case does not have are passed over."""
    proposals: tuple[Change, ...] = ()
    """Of parameters that say what is simulated: told to a person, never made."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """Factors for resources of the job, as ``{"time_limit": 2}``."""
    repeat: bool = False
    """Whether the same run may succeed without a change."""


@dataclass(frozen=True)
class Remedies:
    """The classes of failures of a physics, in the order in which they are tried."""

    entries: tuple[Remedy, ...]

    def __getitem__(self, failure: str) -> Remedy:
        return next(one for one in self.entries if one.failure == failure)

    def get(self, failure: str) -> Remedy | None:
        """The class with this name, or None."""
        return next((one for one in self.entries if one.failure == failure), None)


@lru_cache(maxsize=32)
def read_remedies(file: Path) -> Remedies:
    """Read the remedies of a physics.

    Parameters
    ----------
    file
        In TOML: ``shared``, a file relative to this one that is read first, and a table ``failure.NAME`` for each class
        with the fields of :class:`Remedy`.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or has a key or a value that means nothing; which, and in which file.
    """
    tables = _tables(file, ())
    return Remedies(tuple(_remedy(name, table, file) for name, table in tables.items()))


def _tables(file: Path, seen: tuple[Path, ...]) -> dict[str, dict[str, Any]]:
    document = _document(file)
    tables: dict[str, dict[str, Any]] = {}
    shared = document.pop("shared", None)
    if shared is not None:
        other = (file.parent / str(shared)).resolve()
        if other in seen:
            raise ConfigurationError(f"{file}: shared = {shared!r} leads back to this file")
        tables = _tables(other, (*seen, other))
    own = document.pop("failure", {})
    if document or not isinstance(own, dict) or not all(isinstance(one, dict) for one in own.values()):
        unknown = ", ".join(document) or "failure"
        raise ConfigurationError(f"{file}: {unknown} means nothing here; give shared and tables [failure.NAME]")
    for name, table in own.items():
        tables[name] = {**tables.get(name, {}), **table}
    return tables


def _document(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the remedies {file} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the remedies {file} are no TOML: {error}") from error


def _remedy(name: str, table: Mapping[str, Any], file: Path) -> Remedy:
    where = f"{file}: failure.{name}"
    known = {one.name for one in fields(Remedy)} - {"failure"}
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigurationError(f"{where} has {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    for key in ("title", "advice"):
        if not isinstance(table.get(key), str):
            raise ConfigurationError(f"{where}.{key} is missing; give a sentence")
    values: dict[str, Any] = dict(table)
    for key in ("changes", "proposals"):
        values[key] = tuple(_change(one, f"{where}.{key}") for one in table.get(key, ()))
    values["patterns"] = tuple(_pattern(one, f"{where}.patterns") for one in table.get("patterns", ()))
    for key in ("solver_reasons", "reasons", "exit_codes"):
        values[key] = tuple(table.get(key, ()))
    for reason in values["reasons"]:
        if reason not in REASONS:
            raise ConfigurationError(f"{where}.reasons has {reason!r}; known are {', '.join(REASONS)}")
    return Remedy(failure=name, **values)


def _pattern(text: object, where: str) -> re.Pattern[str]:
    try:
        return re.compile(str(text), re.MULTILINE)
    except re.error as error:
        raise ConfigurationError(f"{where}: {text!r} is no regular expression: {error}") from error


def _change(table: object, where: str) -> Change:
    known = {one.name for one in fields(Change)}
    if not isinstance(table, dict) or "parameter" not in table or set(table) - known:
        raise ConfigurationError(f"{where}: {table!r} is no change; give parameter and one of multiply, add, set")
    if ("number" in table) != ("at_least" in table):
        raise ConfigurationError(f"{where}: {table['parameter']} needs number and at_least together")
    if sum(key in table for key in ("multiply", "add", "set")) != 1:
        raise ConfigurationError(f"{where}: {table['parameter']} needs exactly one of multiply, add, set")
    return Change(**table)
