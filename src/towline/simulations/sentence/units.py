"""Units as people write them, and their values in the units of parameters."""

import re
from dataclasses import dataclass

from towline.simulations.moose.units import convert

#: What a unit measures.
TEMPERATURE, LENGTH, TIME, PERCENT = "temperature", "length", "time", "percent"
ENERGY, SURFACE_ENERGY, MOBILITY = "energy", "surface energy", "mobility"


@dataclass(frozen=True)
class Unit:
    """A unit as it stands in a sentence."""

    text: str
    #: The name that the unit converter knows.
    name: str
    measures: str


#: What is measured, the name of the unit, and how it is written. Letters count: M is no metre, and K no kilo.
_SPELLINGS: tuple[tuple[str, str, str], ...] = (
    (TEMPERATURE, "K", r"K|[Kk]elvins?|degrees? [Kk]elvin"),
    (
        TEMPERATURE,
        "degC",
        r"°\s?C|℃|º\s?C|deg\.? ?C|[Cc]elsius|[Cc]entigrade|degrees? (?:[Cc]elsius|[Cc]entigrade|C)|C",
    ),
    (TEMPERATURE, "degF", r"°\s?F|deg\.? ?F|[Ff]ahrenheit|degrees? (?:[Ff]ahrenheit|F)|F"),
    (LENGTH, "nm", r"nm|nanomet(?:er|re)s?"),
    (LENGTH, "um", r"[uµμ]m|microns?|micromet(?:er|re)s?"),
    (LENGTH, "angstrom", r"Å|Å|[Aa]ngstr[oö]ms?|Ang"),
    (LENGTH, "pm", r"pm|picomet(?:er|re)s?"),
    (LENGTH, "mm", r"mm|millimet(?:er|re)s?"),
    (LENGTH, "cm", r"cm|centimet(?:er|re)s?"),
    (LENGTH, "m", r"m|met(?:er|re)s?"),
    (TIME, "fs", r"fs|femtoseconds?"),
    (TIME, "ps", r"ps|picoseconds?"),
    (TIME, "ns", r"ns|nanoseconds?"),
    (TIME, "us", r"[uµμ]s|microseconds?"),
    (TIME, "ms", r"ms|milliseconds?"),
    (TIME, "s", r"s|secs?|seconds?"),
    (TIME, "minute", r"min|mins|minutes?"),
    (TIME, "hour", r"h|hrs?|hours?"),
    (TIME, "day", r"days?"),
    (TIME, "week", r"weeks?"),
    (TIME, "year", r"years?"),
    (ENERGY, "meV", r"meV"),
    (ENERGY, "eV", r"eV|electron[- ]?volts?"),
    (ENERGY, "kJ/mol", r"kJ ?/ ?mol|kJ mol(?:\^?-1|⁻¹)|kilojoules? per mole?"),
    (ENERGY, "J/mol", r"J ?/ ?mol"),
    (ENERGY, "kcal/mol", r"kcal ?/ ?mol"),
    (SURFACE_ENERGY, "mJ/m^2", r"mJ ?/ ?m(?:\^?2|²)"),
    (SURFACE_ENERGY, "J/m^2", r"J ?/ ?m(?:\^?2|²)|J m(?:\^?-2|⁻²)|joules? per (?:square met(?:er|re)|m(?:\^?2|²))"),
    (MOBILITY, "m^4/(J*s)", r"m(?:\^?4|⁴) ?/ ?(?:\(J[ *·.]?s\)|J ?/ ?s|Js)"),
    (PERCENT, "weight", r"wt\.? ?%|wt\.? ?pct|weight[- ]?(?:%|percent)|mass[- ]?(?:%|percent)"),
    (PERCENT, "atomic", r"at\.? ?%|at\.? ?pct|mol\.? ?%|(?:atomic|mole)[- ]?(?:%|per ?cent|percent)"),
    (PERCENT, "percent", r"%|per ?cent|percent"),
)

_PATTERNS = tuple(
    (measures, name, re.compile(rf"[ \t]*-?[ \t]*({text})(?![^\W_])")) for measures, name, text in _SPELLINGS
)

#: Particles per mole times an electron volt, in J/mol (exact constants of the SI).
_JOULE_PER_MOLE = 96485.33212331


def unit_at(text: str, position: int) -> tuple[Unit, int] | None:
    """The unit that stands at a position of a text, the longest that fits, and where it ends."""
    best: tuple[Unit, int] | None = None
    for measures, name, pattern in _PATTERNS:
        match = pattern.match(text, position)
        if match is not None and (best is None or match.end() > best[1]):
            best = Unit(match[1], name, measures), match.end()
    return best


def converted(value: float, unit: Unit, target: str) -> float:
    """A value in another unit, without the digits that conversion adds.

    Raises
    ------
    InvalidRequest
        The units measure different things.
    """
    per_mole = {"kJ/mol": 1e3, "J/mol": 1.0, "kcal/mol": 4184.0}.get(unit.name)
    if per_mole is not None:
        value, name = value * per_mole / _JOULE_PER_MOLE, "eV"
    else:
        name = unit.name
    if name == target:
        return value
    return float(f"{convert(repr(value), name, target):.12g}")
