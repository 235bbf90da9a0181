"""The rule-based reader of plain sentences.

It knows words, numbers and units, and no grammar beyond what stands beside a number. So it says what it took for what,
and what it could not place: a number is never dropped, and neither is a word that may change the meaning.
"""

from collections.abc import Mapping

from towline.errors import InvalidRequest
from towline.simulations.application import Application
from towline.simulations.sentence import settings
from towline.simulations.sentence.assigning import assign
from towline.simulations.sentence.completing import complete
from towline.simulations.sentence.placing import placed_quantities
from towline.simulations.sentence.plan import Plan
from towline.simulations.sentence.reading import Reading
from towline.simulations.sentence.subject import choose_physics, name_unavailable, read_material
from towline.simulations.sentence.tokens import tokens
from towline.simulations.sentence.vocabulary import common_words


def read(text: str, applications: Mapping[str, Application]) -> Plan:
    """The plan that a sentence asks for.

    Nothing is checked against ranges here: that is done with every value, wherever it comes from.

    Parameters
    ----------
    applications
        What can be simulated, by name.

    Raises
    ------
    InvalidRequest
        The sentence is empty or too long, or does not say what to simulate, or two things at once.
    """
    if not applications:
        raise InvalidRequest("no simulations are installed; pip install 'towline[simulation]'")
    reading = choose_physics(text, tokens(text), applications)
    read_material(reading)
    _anticipate_units(reading)
    settings.read_dimension(reading)
    settings.read_boundaries(reading)
    settings.read_solver(reading)
    settings.read_options(reading)
    settings.read_names(reading)
    _read_spacing(reading)
    for found, place in placed_quantities(reading):
        if place is not None:
            assign(reading, found, place)
    complete(reading)
    name_unavailable(reading)
    _read_wishes(reading)
    _name_the_rest(reading)
    return _plan(text, reading)


def _anticipate_units(reading: Reading) -> None:
    """Give what the material decides about units, before lengths and times are read."""
    data = reading.material.physics.get(reading.words.application.name) if reading.material else None
    name = reading.words.units.get("parameter", "")
    if reading.material is not None and data is not None and name in data.values:
        reading.state(name, data.values[name], reading.material.label, note=f"{reading.material.label}: {data.source}")
        reading.understood.append(f"{name} = {data.values[name]}: {reading.material.label} ({data.source})")


def _read_spacing(reading: Reading) -> None:
    words = common_words()
    while (place := reading.find(words.logarithmic)) is not None:
        reading.understood.append(f"logarithmic spacing: {reading.take(*place)}")
        reading.logarithmic = True
    while (place := reading.find(words.linear)) is not None:
        reading.take(*place)


def _read_wishes(reading: Reading) -> None:
    while (place := reading.find(common_words().wishes)) is not None:
        reading.take(*place)


def _name_the_rest(reading: Reading) -> None:
    """Tell what has no place: every number, and every word that is not known to mean nothing."""
    filler = common_words().filler
    at = 0
    while at < len(reading.row):
        start = at
        while at < len(reading.row) and not reading.used[at] and _means_something(reading, at, filler):
            at += 1
        if at > start:
            text = reading.source(start, at)
            unclear = any(token.kind == "unclear" and "," in token.text for token in reading.row[start:at])
            hint = ": write a point for decimals, or a space after the comma of a list" if unclear else ""
            reading.not_understood.append(text + hint)
        else:
            at += 1


def _means_something(reading: Reading, at: int, filler: frozenset[str]) -> bool:
    token = reading.row[at]
    if token.kind == "word":
        return token.word not in filler and token.singular not in filler
    # Signs such as < or % may; commas and brackets do not.
    return token.kind != "sign" or token.text in "<>≤≥%$^~|±²³"


def _plan(text: str, reading: Reading) -> Plan:
    parameters = [one.name for one in reading.words.application.parameters]
    return Plan(
        sentence=text,
        physics=reading.words.application.name,
        stated={name: reading.values[name] for name in parameters if name in reading.values},
        sweep={name: reading.sweep[name] for name in parameters if name in reading.sweep},
        seeds=reading.seeds,
        solver=reading.solver,
        backend=reading.backend,
        understood=tuple(reading.understood),
        assumed=tuple(reading.assumed),
        not_understood=tuple(reading.not_understood),
    )
