"""Which physics a sentence is about, and which material."""

import re
from collections.abc import Mapping, Sequence

from towline.errors import InvalidRequest
from towline.simulations.application import Application
from towline.simulations.materials import Material, atomic_fraction, materials
from towline.simulations.sentence.reading import Reading, text_of
from towline.simulations.sentence.tokens import Token
from towline.simulations.sentence.vocabulary import Phrase, common_words, phrases, vocabulary


def choose_physics(text: str, row: list[Token], applications: Mapping[str, Application]) -> Reading:
    """The reading of a sentence with the vocabulary of the physics that it names, or that only its words have.

    Raises
    ------
    InvalidRequest
        It names none, one that is not offered, or several.
    """
    readings = {name: Reading(text, list(row), vocabulary(one)) for name, one in applications.items()}
    named = {name: found for name, one in readings.items() if (found := _all_of(one, one.words.names))}
    if len(named) > 1:
        named = _longest_only(readings, named)
    if len(named) == 1:
        name, places = named.popitem()
        chosen = readings[name]
        source = chosen.source(*places[0])
        for start, end in places:
            chosen.take(start, end)
        chosen.understood.append(f"physics = {name}: {source}")
        return chosen
    if named:
        raise InvalidRequest(f"the sentence names {' and '.join(sorted(named))}; ask for one of them at a time")
    return _implied(readings, applications)


def _all_of(reading: Reading, names: Sequence[Phrase]) -> list[tuple[int, int]]:
    found = []
    at = 0
    while at < len(reading.row):
        end = reading.longest(at, names)
        if end is not None:
            found.append((at, end))
        at = end or at + 1
    return found


def _longest_only(
    readings: Mapping[str, Reading], named: Mapping[str, list[tuple[int, int]]]
) -> dict[str, list[tuple[int, int]]]:
    """Leave out what is only part of the name of another physics."""
    kept: dict[str, list[tuple[int, int]]] = {}
    for name, places in named.items():
        others = [place for other, theirs in named.items() if other != name for place in theirs]
        own = [one for one in places if not any(o[0] <= one[0] and one[1] <= o[1] and o != one for o in others)]
        if own:
            kept[name] = own
    return kept


def _implied(readings: Mapping[str, Reading], applications: Mapping[str, Application]) -> Reading:
    unavailable = _unavailable(next(iter(readings.values())))
    offered = ", ".join(f"{one.label} (--physics {name})" for name, one in applications.items())
    if unavailable:
        raise InvalidRequest(f"towline has no simulation of {unavailable}; it has {offered}")
    for name, reading in readings.items():
        hint = reading.find(reading.words.hints)
        if hint is not None:
            reading.assumed.append(f"physics = {name}, because of “{reading.source(*hint)}”")
            return reading
    for name, reading in readings.items():
        for one in materials():
            named = _material_place(reading, one) is not None or _formula(reading.text, one) is not None
            if set(one.physics) == {name} and named:
                reading.assumed.append(f"physics = {name}, because it is the one that is known for {one.label}")
                return reading
    raise InvalidRequest(
        f"the sentence does not say what to simulate; towline has {offered}. Name one of them, as in: "
        'tow simulate "grain growth in copper at 600 K, 100 grains"'
    )


def _unavailable(reading: Reading) -> str:
    for name, texts in common_words().unavailable.items():
        if reading.find(texts) is not None:
            return name
    return ""


def name_unavailable(reading: Reading) -> None:
    """Tell what the sentence wants besides, and nobody offers."""
    for name, texts in common_words().unavailable.items():
        while (place := reading.find(texts)) is not None:
            source = reading.take(*place)
            reading.not_understood.append(f"{source}: towline does not simulate {name}")


def read_material(reading: Reading) -> None:
    """The material, and a composition that is written as a formula."""
    for one in materials():
        _read_formula(reading, one)
        if reading.material is not None and _is_component(reading.material, one):
            continue  # 53 at.% Fe is no second material
        while (place := _material_place(reading, one)) is not None:
            source = reading.take(*place)
            if reading.material is None:
                reading.material = one
                reading.understood.append(f"material = {one.label}: {source}")
            elif reading.material is not one:
                reading.not_understood.append(f"{source}: the material is {reading.material.label} already")


def _is_component(alloy: Material, one: Material) -> bool:
    return bool({alloy.solute, alloy.solvent} & set(one.symbols))


def _material_place(reading: Reading, one: Material) -> tuple[int, int] | None:
    symbols = [tuple(symbol.split("-")) for symbol in one.symbols]
    for at in range(len(reading.row)):
        for symbol in symbols:
            end = reading.match(at, tuple(part.casefold() for part in symbol))
            if end is not None and [t.text for t in reading.row[at:end] if t.kind == "word"] == list(symbol):
                return at, end
    return reading.find(phrases(name.replace("-", " ") for name in one.names))


def _formula(text: str, one: Material) -> re.Match[str] | None:
    """``Fe-46.77Cr``, ``Fe-46.77 at.% Cr``, ``Fe53Cr47``."""
    if not one.solute:
        return None
    number = r"(\d+(?:\.\d+)?)"
    return re.search(
        rf"\b{one.solvent}\s?[-–]\s?{number}\s?(at\.?\s?%|wt\.?\s?%|%)?\s?{one.solute}\b"
        rf"|\b{one.solvent}{number}{one.solute}{number}\b",
        text,
    )


def _read_formula(reading: Reading, one: Material) -> None:
    match = _formula(reading.text, one) if reading.words.words_of("c0") is not None else None
    if match is None:
        return
    inside = [at for at, token in enumerate(reading.row) if token.end > match.start() and token.start < match.end()]
    source = reading.take(inside[0], inside[-1] + 1)
    reading.material = one
    reading.understood.append(f"material = {one.label}: {source}")
    _state_composition(reading, one, match, source)


def _state_composition(reading: Reading, one: Material, match: re.Match[str], source: str) -> None:
    if match[1] is None:
        solvent, solute = float(match[3]), float(match[4])
        fraction = solute / (solvent + solute) if solvent + solute > 0 else -1.0
    else:
        # Metallurgists leave the percent out.
        fraction = float(match[1]) / 100 if match[2] or float(match[1]) > 1 else float(match[1])
        if (match[2] or "").startswith("wt"):
            fraction = atomic_fraction(fraction, one.solute, one.solvent)
        if not match[2]:
            reading.assumed.append(f"{source}: atomic percent")
    fraction = float(f"{fraction:.10g}")
    if reading.state("c0", fraction, source):
        reading.understood.append(f"c0 = {text_of(fraction)}: {source}")
