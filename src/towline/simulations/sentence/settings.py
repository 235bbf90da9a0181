"""What a sentence says without numbers: dimension, boundaries, solver, place, choices, values by name."""

import re

from towline.simulations.application import Parameter, Scalar
from towline.simulations.sentence.reading import DASHES, Reading, text_of
from towline.simulations.sentence.vocabulary import common_words

_AXES = "xyz"
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")
_ASSIGNS = ("=", ":", "is", "of", "to")


def read_dimension(reading: Reading) -> None:
    """``2-D``, ``three-dimensional``."""
    for at, token in enumerate(reading.row):
        if token.kind == "dimension":
            _state(reading, "dim", int(token.value), reading.take(at, at + 1))
    for number, texts in common_words().dimensions.items():
        while (place := reading.find(texts)) is not None:
            _state(reading, "dim", int(number), reading.take(*place))


def read_boundaries(reading: Reading) -> None:
    """``periodic in x and y``, ``no-flux boundaries``."""
    kinds = common_words().boundaries
    every = tuple((kind == "periodic", texts) for kind, texts in kinds.items())
    for at in range(len(reading.row)):
        ends = [(end, truth) for truth, texts in every if (end := reading.longest(at, texts)) is not None]
        if ends:
            end, truth = max(ends)
            _read_boundary(reading, at, end, periodic=truth)


def _read_boundary(reading: Reading, start: int, end: int, *, periodic: bool) -> None:
    axes, after, only = _axes_after(reading, end)
    source = reading.take(start, after)
    everywhere = _AXES[: reading.dimension]
    if not axes:
        for axis in everywhere:
            if f"periodic_{axis}" not in reading.values:
                reading.state(f"periodic_{axis}", periodic, source)
        reading.understood.append(f"boundaries = {'periodic' if periodic else 'natural (no flux)'}: {source}")
        return
    for axis in axes:
        _state(reading, f"periodic_{axis}", periodic, source)
    rest = [axis for axis in everywhere if axis not in axes and f"periodic_{axis}" not in reading.values]
    for axis in rest:
        reading.state(f"periodic_{axis}", not periodic, source)
    if rest and not only:
        meaning = "periodic" if not periodic else "not periodic"
        reading.assumed.append(f"{meaning} in {' and '.join(rest)}, because “{source}” does not name it")


def _axes_after(reading: Reading, at: int) -> tuple[str, int, bool]:
    """The directions that follow: their letters, where they end, and whether they are said to be the only ones."""
    row = reading.row
    place = at
    while place < len(row) and row[place].word in ("boundaries", "boundary", "conditions", "only"):
        place += 1
    if place >= len(row) or row[place].word not in ("in", "along"):
        return "", at, False
    place += 1
    axes, end = "", at
    while place < len(row):
        word = row[place].word
        if re.fullmatch(r"[xyz]{1,3}", word):
            axes += word
            end = place + 1
        elif word in ("all", "every", "each"):
            axes, end = _AXES[: reading.dimension], place + 1
        elif word in ("direction", "directions", "axis", "axes", "only") and axes:
            end = place + 1
        elif word not in ("and", ",", "the", *DASHES):
            break
        place += 1
    only = any(token.word == "only" for token in row[at:end])
    return "".join(sorted(set(axes))), end, only


def read_solver(reading: Reading) -> None:
    """Which solver is to be used, and where."""
    for kind in ("embedded", "moose"):
        while (place := reading.find(common_words().solver[kind])) is not None:
            source = reading.take(*place)
            if reading.solver and reading.solver != kind:
                reading.not_understood.append(f"{source}: the solver is {reading.solver} already")
            else:
                reading.solver = kind
                reading.understood.append(f"solver = {kind}: {source}")
    for kind, texts in common_words().backend.items():
        while (place := reading.find(texts)) is not None:
            source = reading.take(*place)
            if reading.backend and reading.backend != kind:
                reading.not_understood.append(f"{source}: the place is {reading.backend} already")
            else:
                reading.backend = kind
                reading.understood.append(f"backend = {kind}: {source}")


def read_options(reading: Reading) -> None:
    """Words that mean a choice of a parameter, switches, and presets."""
    for name, choices in reading.words.options.items():
        for choice, texts in choices.items():
            while (place := reading.find(texts)) is not None:
                _state(reading, name, choice, reading.take(*place))
    if reading.words.parameter("use_adaptivity") is not None:
        _read_adaptivity(reading)
    for name, values in reading.words.application.presets.items():
        match = re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", reading.text)
        if match is not None:
            inside = [i for i, one in enumerate(reading.row) if one.end > match.start() and one.start < match.end()]
            source = reading.take(inside[0], inside[-1] + 1)
            for word in (inside[0] - 1, inside[-1] + 1):
                if 0 <= word < len(reading.row) and reading.row[word].word == "preset":
                    reading.take(word, word + 1)
            for parameter, value in values.items():
                _state(reading, parameter, value, f"preset {source}")


def _read_adaptivity(reading: Reading) -> None:
    for at, token in enumerate(reading.row):
        if token.word not in ("adaptivity", "adaptive") or reading.used[at]:
            continue
        start = at - 1 if at and reading.row[at - 1].word == "mesh" else at
        before = reading.row[start - 1].word if start else ""
        end = at + 1 + (at + 1 < len(reading.row) and reading.row[at + 1].word in ("mesh", "refinement"))
        off = before in ("without", "no")
        if off or token.word == "adaptivity" or end > at + 1:
            following = reading.row[at + 1].text if at + 1 < len(reading.row) else ""
            if following not in ("=", ":"):
                _state(reading, "use_adaptivity", not off, reading.take(start - 1 if off else start, end))


def read_names(reading: Reading) -> None:
    """``fe_mode = FeCr``, ``use_adaptivity: false``, ``run_name = first``: values by name that are no numbers."""
    at = 0
    while at < len(reading.row):
        parameter, end = name_at(reading, at)
        if parameter is not None and parameter.kind in (bool, str):
            _read_word_value(reading, parameter, at, end)
        at = max(end, at + 1)


def name_at(reading: Reading, at: int) -> tuple[Parameter | None, int]:
    """The parameter whose name or alias begins at a position, and where the name ends."""
    token = reading.row[at]
    if token.kind != "word" or reading.used[at]:
        return None, at + 1
    return reading.words.parameter(token.text), at + 1


def _read_word_value(reading: Reading, parameter: Parameter, at: int, end: int) -> None:
    row = reading.row
    while end < len(row) and row[end].text in ('"', "'", "“", "”"):
        end += 1
    if end >= len(row) or row[end].word not in _ASSIGNS:
        return
    loose = row[end].word not in ("=", ":")
    end += 1
    while end < len(row) and row[end].text in ('"', "'", "“", "”"):
        end += 1
    if end >= len(row):
        return
    value, last = _word_value(reading, parameter, end, loose=loose)
    if value is not None:
        _state(reading, parameter.name, value, reading.take(at, last))


def _word_value(reading: Reading, parameter: Parameter, at: int, *, loose: bool) -> tuple[Scalar | None, int]:
    token = reading.row[at]
    if parameter.kind is bool:
        if token.word in _TRUE:
            return True, at + 1
        return (False, at + 1) if token.word in _FALSE else (None, at)
    for choice in parameter.choices:
        text = reading.text[token.start : token.start + len(choice)]
        if text.casefold() == choice.casefold():
            inside = [i for i, one in enumerate(reading.row) if token.start <= one.start < token.start + len(choice)]
            return choice, inside[-1] + 1
    if parameter.choices or loose:
        return None, at
    match = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").match(reading.text, token.start)
    if match is None:
        return None, at
    value = match[0].rstrip("._-")
    inside = [i for i, one in enumerate(reading.row) if token.start <= one.start < token.start + len(value)]
    return value, inside[-1] + 1


def _state(reading: Reading, name: str, value: Scalar, source: str) -> None:
    if reading.state(name, value, source):
        reading.understood.append(f"{name} = {text_of(value)}: {source}")
