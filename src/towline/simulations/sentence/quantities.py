"""Numbers that belong together: lists, ranges with their steps, products such as a box, a value with its spread."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from towline.simulations.sentence.tokens import Token
from towline.simulations.sentence.units import Unit

_DASHES = ("-", "−", "–", "—", "...", "…")
_AND = ("and", "or", "&", "/")
_TO = (*_DASHES, "to", "till", "until", "through", "and")
_TIMES = ("x", "×", "by", "*")
_STEP_NOUNS = ("step", "steps", "increment", "increments", "interval", "intervals", "spacing")
_POINT_NOUNS = (*_STEP_NOUNS, "value", "values", "point", "points")


@dataclass(frozen=True)
class Quantity:
    """An expression of one or several numbers."""

    start: int
    """Position of its first token."""
    end: int
    """Position after its last token."""
    kind: str
    """``one``, ``list``, ``range``, ``product`` or ``spread``."""
    values: tuple[float, ...]
    units: tuple[Unit | None, ...]
    whole: bool
    """Whether all of them are written as whole numbers."""
    step: tuple[float, Unit | None] | None = None
    """Of a range."""
    count: int | None = None
    """How many values a range has, where that follows it directly."""
    without_unit: int = 0
    """How many members of a list, from the first on, have no unit of their own, where later ones have."""

    @property
    def unit(self) -> Unit | None:
        """The unit of the last number, which those without one share."""
        return self.units[-1]


def quantity_at(row: Sequence[Token], at: int) -> Quantity | None:
    """The expression that begins at a position, or None."""
    if row[at].kind == "word" and row[at].word in ("between", "from") and _is_number(row, at + 1):
        found = _range(row, at + 1, at)
        if found is not None:
            return found
        at += 1
    if not _is_number(row, at):
        return None
    for read in (_spread, _product, _plain_range, _list):
        found = read(row, at)
        if found is not None:
            return found
    return Quantity(at, at + 1, "one", (row[at].value,), (row[at].unit,), row[at].whole)


def without_last(row: Sequence[Token], one: Quantity) -> Quantity:
    """A list without its last value, and without what leads to that."""
    end = one.end - 1
    while row[end - 1].kind != "number":
        end -= 1
    kind = "list" if len(one.values) > 2 else "one"
    return replace(one, values=one.values[:-1], units=one.units[:-1], end=end, kind=kind)


def only_without_unit(row: Sequence[Token], one: Quantity) -> Quantity:
    """The first members of a list, which have no unit of their own: seed 7, 46.77 at.% Cr."""
    shorter = one
    while len(shorter.values) > one.without_unit:
        shorter = without_last(row, shorter)
    whole = all(value.is_integer() for value in shorter.values)
    return replace(shorter, units=(None,) * len(shorter.values), whole=whole, without_unit=0)


def _is_number(row: Sequence[Token], at: int) -> bool:
    return 0 <= at < len(row) and row[at].kind == "number"


def _text(row: Sequence[Token], at: int) -> str:
    return row[at].word if 0 <= at < len(row) else ""


def _spread(row: Sequence[Token], at: int) -> Quantity | None:
    if _text(row, at + 1) in ("±", "+/-", "+-") and _is_number(row, at + 2):
        pair = (row[at], row[at + 2])
        units = (pair[0].unit or pair[1].unit, pair[1].unit or pair[0].unit)
        return Quantity(at, at + 3, "spread", (pair[0].value, pair[1].value), units, whole=False)
    return None


def _product(row: Sequence[Token], at: int) -> Quantity | None:
    members = [row[at]]
    end = at + 1
    while len(members) < 3 and _text(row, end) in _TIMES and _is_number(row, end + 1):
        members.append(row[end + 1])
        end += 2
    if len(members) == 1:
        return None
    shared = next((one.unit for one in reversed(members) if one.unit), None)
    units = tuple(one.unit or shared for one in members)
    return Quantity(at, end, "product", tuple(one.value for one in members), units, all(one.whole for one in members))


def _plain_range(row: Sequence[Token], at: int) -> Quantity | None:
    """``300-750 K`` and ``300 to 750 K``; with `and` it would be a list, and `until` begins something else."""
    return _range(row, at, at) if _text(row, at + 1) in (*_DASHES, "to", "up", "down") else None


def _range(row: Sequence[Token], at: int, start: int) -> Quantity | None:
    joint = at + 1
    if _text(row, joint) in ("up", "down") and _text(row, joint + 1) == "to":
        joint += 1
    if _text(row, joint) not in _TO or not _is_number(row, joint + 1):
        return None
    low, high = row[at], row[joint + 1]
    if low.unit and high.unit and low.unit.measures != high.unit.measures:
        return None
    if low.unit and not high.unit:
        return None
    units = (low.unit or high.unit, high.unit or low.unit)
    found = Quantity(start, joint + 2, "range", (low.value, high.value), units, low.whole and high.whole)
    return _with_step(row, found)


def _with_step(row: Sequence[Token], found: Quantity) -> Quantity:
    """A range with the step, or the number of values, that directly follows it."""
    at = found.end + (_text(row, found.end) in (",", "("))
    words = [_text(row, place) for place in range(at, at + 4)]
    if words[0] in ("in", "with", "at", "using") and words[1] in ("a", "an"):
        del words[1]
        at += 1
    for opening in _OPENINGS:
        place = at + len(opening)
        if all(word in allowed for word, allowed in zip(words, opening, strict=False)) and _is_number(row, place):
            return replace(found, end=place + 1, step=(row[place].value, row[place].unit))
    amount = at + (words[0] in ("with", "in", "at", "using"))
    if _is_number(row, amount) and row[amount].unit is not None and _text(row, amount + 1) in _STEP_NOUNS:
        return replace(found, end=amount + 2, step=(row[amount].value, row[amount].unit))
    if words[0] == "in" and _is_number(row, at + 1) and row[at + 1].whole and row[at + 1].unit is None:
        noun = at + 2 + (_text(row, at + 2) in ("equal", "even", "linear"))
        if _text(row, noun) in _POINT_NOUNS and _text(row, noun + 1) != "of":
            return replace(found, end=noun + 1, count=int(row[at + 1].value))
    return found


_OPENINGS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("in", "with", "at", "using"), _STEP_NOUNS, ("of",)),
    (("in", "with", "at", "using"), _STEP_NOUNS),
    (_STEP_NOUNS, ("of", "=")),
    (("every", "by", "step"),),
    (("in",), ("steps",), ("by",)),
    (("δt",), ("=", "of", ":")),
)


def _list(row: Sequence[Token], at: int) -> Quantity | None:
    members = [row[at]]
    end = at + 1
    while (following := _next_member(row, end)) is not None:
        token = row[following]
        if not _together(members[-1], token) or _text(row, following + 1) in (*_TIMES, "±", *_DASHES, "to"):
            break
        members.append(token)
        end = following + 1
    if len(members) == 1:
        return None
    shared = next((one.unit for one in reversed(members) if one.unit), None)
    units = tuple(one.unit or shared for one in members)
    bare = next((at for at, one in enumerate(members) if one.unit), 0)
    whole = all(one.whole for one in members)
    return Quantity(at, end, "list", tuple(one.value for one in members), units, whole, without_unit=bare)


def _next_member(row: Sequence[Token], at: int) -> int | None:
    """Position of the next number of a list, if a separator leads to it."""
    separators = 0
    while _text(row, at) in (",", *_AND) and separators < 2:
        at, separators = at + 1, separators + 1
    return at if separators and _is_number(row, at) else None


def _together(one: Token, other: Token) -> bool:
    """Whether two numbers can stand in one list: 300, 450 K; 1 µm and 500 nm; not 750 K, 4."""
    if one.unit is None:
        return True
    return other.unit is not None and other.unit.measures == one.unit.measures
