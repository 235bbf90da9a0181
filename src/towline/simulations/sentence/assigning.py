"""Numbers of a sentence become values of parameters, in the units of the parameters."""

from towline.errors import InvalidRequest
from towline.simulations.application import Parameter, Scalar
from towline.simulations.materials import atomic_fraction
from towline.simulations.sentence.placing import COUNT, DERIVED, HOMOLOGOUS, SEEDS, Place
from towline.simulations.sentence.quantities import Quantity
from towline.simulations.sentence.reading import PendingRange, Reading, text_of
from towline.simulations.sentence.units import LENGTH, PERCENT, TEMPERATURE, TIME, Unit, converted
from towline.simulations.sentence.vocabulary import ParameterWords

#: Of a fraction that is given without percent, and cannot be one.
_LARGEST_FRACTION = 1.0
#: Letters that could mean something else.
_DEGREES = {"C": "Celsius", "F": "Fahrenheit"}


class Unplaced(Exception):
    """A number has no place in the plan; says why."""


def assign(reading: Reading, found: Quantity, place: Place) -> None:
    """Give what a place names the values of an expression; what does not go is told."""
    start, end = min(place.start, found.start), max(place.end, found.end)
    source = reading.take(start, end)
    try:
        if place.kind == SEEDS:
            _seeds(reading, found, source)
        elif place.kind == COUNT:
            _count(reading, place.name, int(found.values[0]), source)
        elif place.kind == DERIVED:
            _keep_for_later(reading, place.name, found, source)
        else:
            _parameter(reading, found, place, source)
    except Unplaced as error:
        reading.not_understood.append(f"{source}: {error}" if str(error) else source)


def _seeds(reading: Reading, found: Quantity, source: str) -> None:
    if reading.seeds is not None and reading.seeds != int(found.values[0]):
        raise Unplaced(f"there are {reading.seeds} random starts already")
    reading.seeds = int(found.values[0])
    reading.understood.append(f"random starts = {reading.seeds}: {source}")


def _count(reading: Reading, name: str, count: int, source: str) -> None:
    if name in reading.counts and reading.counts[name][0] != count:
        raise Unplaced(f"“{reading.counts[name][1]}” says {reading.counts[name][0]}")
    reading.counts[name] = (count, source)


def _keep_for_later(reading: Reading, name: str, found: Quantity, source: str) -> None:
    if found.kind != "one":
        raise Unplaced("give one value, or sweep the parameters themselves")
    if name in reading.derived:
        raise Unplaced("this is said already")
    unit = found.unit
    if name == HOMOLOGOUS:
        reading.derived[name] = (found.values[0], source)
        return
    if unit is None:
        reading.assumed.append(f"{source}: in nm")
    reading.derived[name] = (found.values[0] if unit is None else _convert(found.values[0], unit, "nm"), source)


def _parameter(reading: Reading, found: Quantity, place: Place, source: str) -> None:
    parameter = reading.words.parameter(place.name) if place.name else None
    if parameter is None:
        _material_temperature(reading, found, source)
        return
    words = place.words or ParameterWords(parameter.name)
    before = [token.word for token in reading.row[max(0, found.start - 2) : found.start]]
    if before == ["up", "to"] and words.measures != TIME and parameter.name != "num_steps":
        raise Unplaced("this is a limit, and no value")
    if place.bare and words.measures == LENGTH:
        reading.assumed.append(f"{source}: read as {parameter.help}")
    values = tuple(_value(reading, parameter, words, found, at, source) for at in range(len(found.values)))
    if place.other_component:
        values = tuple(float(f"{1 - one:.10g}") for one in values)
    if found.kind == "range":
        _range(reading, parameter, words, found, values, source)
    elif found.kind == "product":
        _along_axes(reading, words, values, source)
    elif found.kind == "spread":
        _spread(reading, parameter, values, source)
    elif found.kind == "list":
        _sweep(reading, parameter, words, values, source)
    else:
        _single(reading, parameter, words, values[0], source)


def _value(
    reading: Reading, parameter: Parameter, words: ParameterWords, found: Quantity, at: int, source: str
) -> float:
    value, unit = found.values[at], found.units[at]
    if words.measures == "fraction" or (unit is not None and unit.measures == PERCENT):
        return _fraction(reading, parameter, value, unit, source)
    target = unit_of(reading, parameter, words.measures)
    if unit is None:
        if target and at == 0 and words.measures != "number":
            reading.assumed.append(f"{source}: in {target}")
        return value
    if not target:
        why = "the double well has no units" if reading.words.units else "it has no unit"
        raise Unplaced(f"{parameter.name} takes a plain number here; {why}")
    degrees = _DEGREES.get(unit.text.strip()) if unit.measures == TEMPERATURE else None
    if degrees is not None and at == 0:
        reading.assumed.append(f"{source}: degrees {degrees}")
    return _convert(value, unit, target)


def _fraction(reading: Reading, parameter: Parameter, value: float, unit: Unit | None, source: str) -> float:
    if unit is None:
        if value <= _LARGEST_FRACTION:
            return value
        reading.assumed.append(f"{source}: {value:g} is percent")
        return float(f"{value / 100:.12g}")
    if parameter.name == "c0" and unit.name == "weight":
        if reading.material is None or not reading.material.solute:
            raise Unplaced("percent by weight needs an alloy, as Fe-Cr")
        part = atomic_fraction(value / 100, reading.material.solute, reading.material.solvent)
        reading.assumed.append(f"{source}: {value:g} % by weight are {100 * part:.4g} at.%")
        return float(f"{part:.6g}")
    if unit.name == "percent" and parameter.name == "c0":
        reading.assumed.append(f"{source}: atomic percent")
    return float(f"{value / 100:.12g}")


def unit_of(reading: Reading, parameter: Parameter, measures: str) -> str:
    """The unit of a parameter in this sentence; empty if it has none."""
    special = reading.words.units
    if parameter.unit or not special or measures not in (LENGTH, TIME):
        return parameter.unit
    stated = reading.values.get(special["parameter"])
    return special.get(measures, "") if stated is not None and stated.value == special["value"] else ""


def _convert(value: float, unit: Unit, target: str) -> float:
    try:
        return converted(value, unit, target)
    except InvalidRequest as error:
        raise Unplaced(str(error)) from error


def exact(parameter: Parameter, value: float) -> Scalar:
    """A number as the parameter holds it: whole numbers as such."""
    return int(value) if parameter.kind is int and float(value).is_integer() else value


def _single(reading: Reading, parameter: Parameter, words: ParameterWords, value: float, source: str) -> None:
    if words.axes:
        if parameter.kind is int:
            reading.assumed.append(f"{source}: as many along each side")
        _along_axes(reading, words, (value,) * reading.dimension, source)
    elif reading.state(parameter.name, exact(parameter, value), source):
        for name, other in words.together.items():
            reading.state(name, other, source)
        reading.understood.append(f"{parameter.name} = {shown(reading, parameter, words, (value,))}: {source}")


def _along_axes(reading: Reading, words: ParameterWords, values: tuple[float, ...], source: str) -> None:
    if not words.axes:
        raise Unplaced("only a box and a mesh have sides")
    if len(values) != reading.dimension:
        raise Unplaced(f"{len(values)} sides, but {reading.dimension} dimensions")
    done = []
    for name, value in zip(words.axes, values, strict=False):
        parameter = reading.words.parameter(name)
        if parameter is not None and not reading.state(name, exact(parameter, value), source):
            break
        if parameter is not None:
            done.append(f"{name} = {shown(reading, parameter, words, (value,))}")
    if done:
        reading.understood.append(f"{', '.join(done)}: {source}")


def _spread(reading: Reading, parameter: Parameter, values: tuple[float, ...], source: str) -> None:
    if parameter.name != "c0" or reading.words.parameter("noise") is None:
        raise Unplaced("a value with a spread is understood for a composition only")
    for name, value in zip(("c0", "noise"), values, strict=True):
        if reading.state(name, value, source):
            reading.understood.append(f"{name} = {text_of(value)}: {source}")


def _sweep(
    reading: Reading, parameter: Parameter, words: ParameterWords, values: tuple[float, ...], source: str
) -> None:
    if len(set(values)) != len(values):
        raise Unplaced("a value stands there twice")
    state_sweep(reading, parameter, tuple(exact(parameter, one) for one in values), words, source)


def state_sweep(
    reading: Reading, parameter: Parameter, values: tuple[Scalar, ...], words: ParameterWords, source: str
) -> None:
    """Give a parameter several values; told if it has others already."""
    if words.axes and parameter.kind is int:
        reading.not_understood.append(f"{source}: a mesh is swept by uniform_refine, which keeps its shape")
        return
    if parameter.name in reading.values or parameter.name in reading.sweep:
        present = reading.sweep.get(parameter.name) or reading.values[parameter.name].value
        reading.not_understood.append(f"{source}: {parameter.name} is {text_of(present)} already")
        return
    reading.sweep[parameter.name] = values
    numbers = tuple(one for one in values if isinstance(one, int | float))
    reading.understood.append(f"{parameter.name} = {shown(reading, parameter, words, numbers)}: {source}")


def _range(
    reading: Reading,
    parameter: Parameter,
    words: ParameterWords,
    found: Quantity,
    values: tuple[float, ...],
    source: str,
) -> None:
    if parameter.name == "end_time" and values[0] == 0 and found.step is None and found.count is None:
        _single(reading, parameter, words, values[1], source)
        return
    step = None
    if found.step is not None:
        number, unit = found.step
        unit = unit or found.unit
        step = _difference(reading, parameter, words, number, unit)
    pending = PendingRange(parameter, found, source, values[0], values[1], step, found.count, words)
    if any(one.parameter is parameter for one in reading.ranges):
        raise Unplaced(f"{parameter.name} has a range already")
    reading.ranges.append(pending)


def _difference(
    reading: Reading, parameter: Parameter, words: ParameterWords, number: float, unit: Unit | None
) -> float:
    """A step in the unit of the parameter; of temperatures, the zero of the scale does not count."""
    if unit is None:
        return number
    if unit.measures == PERCENT:
        return float(f"{number / 100:.12g}")
    target = unit_of(reading, parameter, words.measures)
    if not target:
        raise Unplaced(f"{parameter.name} takes a plain number here")
    if unit.name in ("degC", "K"):
        return number
    return number * 5 / 9 if unit.name == "degF" else _convert(number, unit, target)


def _material_temperature(reading: Reading, found: Quantity, source: str) -> None:
    """A temperature of a physics that has no parameter for it: the material's data hold at one."""
    if found.kind != "one" or found.unit is None:
        raise Unplaced(f"{reading.words.application.name} has no parameter for it")
    reading.temperature = (_convert(found.values[0], found.unit, "K"), source)


def shown(reading: Reading, parameter: Parameter, words: ParameterWords, values: tuple[float, ...]) -> str:
    """Values with their unit, as they are told."""
    unit = unit_of(reading, parameter, words.measures)
    return f"{text_of(tuple(exact(parameter, one) for one in values))}{f' {unit}' if unit else ''}"
