"""What the texts that a regular expression finds have in common, for databases that cannot run it.

Python's own parser says how an expression is made. A part that not every match needs, or that this file does not know,
says nothing; so what is said holds for every match, and the expression itself still decides.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

#: The parser of the standard library; an interpreter that has none of this name gets no hints.
_PARSER: Any = getattr(re, "_parser", None)

#: Where case does not matter, Python finds letters beyond ASCII for these: a dotless i, the sign of Kelvin, a long s.
_AMBIGUOUS = frozenset("iks")

#: What stands at the beginning of a text.
_BEGIN = ("AT_BEGINNING", "AT_BEGINNING_STRING")


@dataclass(frozen=True, slots=True)
class Part:
    """A text that stands in everything that is found."""

    text: str
    #: Whether it is in small letters of ASCII, and the other text has to be made so before it is looked for.
    is_lowered: bool


@dataclass(frozen=True, slots=True)
class Needed:
    """What a regular expression needs."""

    #: What everything that is found begins with; empty when that is not known.
    beginning: str
    parts: tuple[Part, ...]


@lru_cache(maxsize=256)
def needed(pattern: "re.Pattern[str]") -> Needed:
    """What stands in every text in which `pattern` finds something."""
    if _PARSER is None:
        return Needed("", ())
    parsed = _PARSER.parse(pattern.pattern, pattern.flags)
    runs = list(_runs(_characters(parsed, parsed.state.flags)))
    first = next(_characters(parsed, parsed.state.flags), None)
    anchored = first is _Anchor and runs and runs[0].adjacent and not runs[0].part.is_lowered
    return Needed(runs[0].part.text if anchored else "", tuple(run.part for run in runs))


class _Anchor:
    """The beginning of the text."""


class _Gap:
    """Anything, or nothing."""


@dataclass(frozen=True, slots=True)
class _Run:
    part: Part
    #: Whether nothing but the beginning of the text stands before it.
    adjacent: bool


def _runs(items: Iterable[Any]) -> Iterator[_Run]:
    """The texts without gaps."""
    text, is_lowered, begins = "", False, True
    for item in (*items, _Gap):
        if item is _Anchor:
            continue
        lowered = item[1] if item is not _Gap else is_lowered
        if text and (item is _Gap or lowered != is_lowered):
            yield _Run(Part(text, is_lowered), begins)
            text, begins = "", False
        if item is _Gap:
            begins = False
        else:
            text, is_lowered = text + item[0], lowered


def _characters(parsed: Iterable[tuple[Any, Any]], flags: int) -> Iterator[Any]:
    """What every match has, in its order: characters with whether they are lowered, gaps, and the beginning."""
    for kind, argument in parsed:
        name = str(kind)
        if name == "LITERAL":
            yield _character(chr(argument), flags)
        elif name == "SUBPATTERN":
            _, added, removed, inner = argument
            yield from _characters(inner, (flags | added) & ~removed)
        elif name == "ATOMIC_GROUP":
            yield from _characters(argument, flags)
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and argument[0] > 0:
            # Once for certain; what comes next may follow on another time.
            yield from _characters(argument[2], flags)
            yield _Gap
        elif name == "AT":
            # A beginning of a line is one of the text only without MULTILINE; others take no room either.
            where = str(argument)
            if where in _BEGIN and not (where == "AT_BEGINNING" and flags & re.MULTILINE):
                yield _Anchor
        else:
            yield _Gap


def _character(character: str, flags: int) -> Any:
    # No parameter of SQL has half a character, or the number 0.
    if character == "\0" or "\ud800" <= character <= "\udfff":
        return _Gap
    if not flags & re.IGNORECASE:
        return character, False
    lowered = character.lower()
    return (lowered, True) if character.isascii() and lowered not in _AMBIGUOUS else _Gap
