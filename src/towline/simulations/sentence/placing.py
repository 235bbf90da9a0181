"""Which parameter a number means: by the words beside it, or by its unit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from towline.simulations.sentence.quantities import Quantity, only_without_unit, quantity_at, without_last
from towline.simulations.sentence.reading import DASHES, Reading
from towline.simulations.sentence.units import LENGTH, PERCENT, TEMPERATURE, TIME
from towline.simulations.sentence.vocabulary import ParameterWords, Phrase, common_words

#: Between a number and the word that it belongs to.
_BRIDGES_AFTER = frozenset(
    {
        *("of", "the", "a", "an", "for", "as", "wide", "long", "large", "big", "tall", "thick", "high", "cubic"),
        *("square", "mean", "average", "initial", "random", "different", "total", "uniform", "equal", "evenly"),
        *("equally", "spaced", "diffuse"),
        *DASHES,
    }
)
#: Between a word and the number that belongs to it.
_BRIDGES_BEFORE = frozenset(
    {
        *("of", "=", ":", "is", "are", "to", "at", "about", "approximately", "roughly", "around", "~", "≈", "a", "an"),
        *("the", "equal", "set", "was", "be", "(", "in", "for", "with", "over", "as", "ranging", "varying", "going"),
        *("runs", "value", "values", "up", "nearly", "ca", "circa", "fixed", "held", "kept", "total", "use", "using"),
        *('"', "'", "“", "”", "{", "["),
    }
)
_JOINTS = ("of", "=", ":", "is", "are", "equal", "to")
_LONGEST_BRIDGE = 5
#: What has units with some materials only.
_WITH_UNITS = (LENGTH, TIME)

#: What a place may mean besides a parameter.
SEEDS, COUNT, DERIVED, PARAMETER = "seeds", "count", "derived", "parameter"

#: A temperature as a fraction of the melting temperature.
HOMOLOGOUS = "homologous_temperature"

#: Nouns of the values of a range, whatever its parameter.
_VALUES = (
    ("values",),
    ("points",),
    ("simulations",),
    ("cases",),
    ("runs",),
    ("levels",),
    ("conditions",),
    ("settings",),
)


@dataclass(frozen=True)
class Place:
    """What a number means, and which words say so."""

    kind: str
    name: str
    start: int
    end: int
    """The words and the number together."""
    words: ParameterWords | None = None
    other_component: bool = False
    bare: bool = False
    """Whether no word says it, only the unit."""


def placed_quantities(reading: Reading) -> Iterator[tuple[Quantity, Place | None]]:
    """Every expression of numbers, in order, with what it means; None when nothing says it."""
    at = 0
    while at < len(reading.row):
        found = quantity_at(reading.row, at) if not reading.used[at] else None
        if found is None or any(reading.used[found.start : found.end]):
            at += 1
            continue
        found, place = _placed(reading, found)
        at = found.end
        yield found, place


def _placed(reading: Reading, found: Quantity) -> tuple[Quantity, Place | None]:
    if found.start and reading.row[found.start - 1].word == "every" and found.kind == "one":
        return found, None  # how often, not how many
    if found.without_unit:
        shorter = only_without_unit(reading.row, found)
        counted = _before(reading, shorter)
        if counted is not None and (counted.words is None or counted.words.measures == "number"):
            return shorter, counted
    after, before = _after(reading, found), _before(reading, found)
    if found.kind == "list" and after and before and after.name != before.name and found.units[-1] is None:
        # seeds 1, 2, 3 and 100 grains: the last number belongs to the word after it.
        shorter = without_last(reading.row, found)
        return shorter, replace(before, end=shorter.end)
    joined = found.start > 0 and reading.row[found.start - 1].word in _JOINTS
    chosen = (before or after) if joined else (after or before)
    return found, chosen or _alone(reading, found)


def _after(reading: Reading, found: Quantity) -> Place | None:
    at = found.end
    while at < len(reading.row) and at - found.end < _LONGEST_BRIDGE:
        places = [one for one in _places_at(reading, found, at, after=True) if one is not None]
        if places:
            return replace(max(places, key=lambda one: one.end), start=found.start)
        # What was read already, as the material in '100 copper grains', does not part them.
        if reading.row[at].word not in _BRIDGES_AFTER and not reading.used[at]:
            return None
        at += 1
    return None


def _before(reading: Reading, found: Quantity) -> Place | None:
    end = found.start
    while end > 0 and found.start - end <= _LONGEST_BRIDGE:
        starts = range(max(0, end - 7), end)
        places = [one for at in starts for one in _places_at(reading, found, at, after=False) if one and one.end == end]
        if places:
            return replace(min(places, key=lambda one: one.start), end=found.end)
        if reading.row[end - 1].word not in _BRIDGES_BEFORE:
            return None
        end -= 1
    return None


def _places_at(reading: Reading, found: Quantity, at: int, *, after: bool) -> Iterator[Place | None]:
    """What the words at a position may mean for an expression."""
    if found.unit is None:
        yield from _common_places(reading, found, at, after=after)
    for one in reading.words.parameters:
        if after and one.measures != "number" and _is_count(found) and one.name in reading.words.application.sweepable:
            yield _plural(reading, _place(reading, at, one.phrases, Place(COUNT, one.name, 0, 0)))
        if not (one.before and after) and _fits(found, one, after=after):
            yield _place(reading, at, one.phrases, Place(PARAMETER, one.name, 0, 0, one))
            inverse = Place(PARAMETER, one.name, 0, 0, one, other_component=True)
            yield _place(reading, at, one.other_component, inverse)
    for name, phrases in reading.words.derived.items():
        # A size has a unit; a fraction of the melting temperature has none.
        length = found.unit is not None and found.unit.measures == LENGTH
        if (found.unit is None) if name == HOMOLOGOUS else (length or (found.unit is None and not after)):
            yield _place(reading, at, phrases, Place(DERIVED, name, 0, 0))
    if not after:
        yield _by_name(reading, found, at)


def _common_places(reading: Reading, found: Quantity, at: int, *, after: bool) -> Iterator[Place | None]:
    if _is_count(found):
        seeds = _place(reading, at, common_words().seeds, Place(SEEDS, "", 0, 0))
        yield seeds if after else _plural(reading, seeds)
        if after:
            yield _place(reading, at, _VALUES, Place(COUNT, "", 0, 0))


def _plural(reading: Reading, place: Place | None) -> Place | None:
    """The place, if its last word is a plural: five temperatures, but not the temperature."""
    return place if place is not None and reading.row[place.end - 1].word.endswith("s") else None


def _by_name(reading: Reading, found: Quantity, at: int) -> Place | None:
    """``nl_rel_tol = 1e-8``: the name of a parameter that is a number."""
    token = reading.row[at]
    if token.kind != "word" or reading.used[at]:
        return None
    parameter = reading.words.parameter(token.text)
    if parameter is None or parameter.kind in (bool, str):
        return None
    words = reading.words.words_of(parameter.name)
    has_unit = bool(parameter.unit) or (reading.words.units and words is not None and words.measures in _WITH_UNITS)
    percent = found.unit is not None and found.unit.measures == PERCENT
    if found.unit is not None and not has_unit and (not percent or parameter.kind is int):
        return None  # 'grains at 300 K' are not 300 grains
    # A name means this one parameter: xmax is not ymax.
    if words is None:
        words = ParameterWords(parameter.name, measures=parameter.unit or "number")
    words = replace(words, axes=(), phrases=())
    return Place(PARAMETER, parameter.name, at, at + 1, words)


def _place(reading: Reading, at: int, phrases: Sequence[Phrase], place: Place) -> Place | None:
    end = reading.longest(at, phrases)
    return replace(place, start=at, end=end) if end is not None else None


def _is_count(found: Quantity) -> bool:
    return found.kind == "one" and found.unit is None and found.whole and 1 <= found.values[0] <= 10_000


def _fits(found: Quantity, words: ParameterWords, *, after: bool) -> bool:
    """Whether what is measured agrees; a number without a unit has that of the parameter, if the word comes first."""
    if found.unit is None:
        return words.measures in ("number", "fraction") or not after
    if words.measures == "fraction":
        return found.unit.measures == PERCENT
    return found.unit.measures == words.measures


def _alone(reading: Reading, found: Quantity) -> Place | None:
    """What a number means by its unit."""
    if found.unit is None:
        return None
    for one in reading.words.parameters:
        if one.alone and (one.measures if one.measures != "fraction" else PERCENT) == found.unit.measures:
            return Place(PARAMETER, one.name, found.start, found.end, one, bare=True)
    if found.unit.measures == TEMPERATURE:
        return Place(PARAMETER, "", found.start, found.end, bare=True)
    return None
