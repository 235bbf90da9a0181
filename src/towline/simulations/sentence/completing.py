"""What is decided when all of a sentence was read: values of ranges, what follows from sizes, what was left out."""

import math
from collections.abc import Iterator

from towline.simulations.materials import MaterialData, materials
from towline.simulations.sentence.assigning import exact, state_sweep
from towline.simulations.sentence.placing import HOMOLOGOUS
from towline.simulations.sentence.reading import PendingRange, Reading, text_of

#: Values of a range when nobody says how many: an Arrhenius fit needs four.
USUAL_POINTS = 4
#: A range with more values than this is a mistake.
_MOST_POINTS = 1000
#: How near to the temperature of its data a material has to be, in kelvin.
_SAME_TEMPERATURE = 1.5


def complete(reading: Reading) -> None:
    """Choose the values of ranges, derive what follows, add what the material gives."""
    for one in reading.ranges:
        _choose_values(reading, one)
    _check_counts(reading)
    _material_values(reading)
    _homologous_temperature(reading)
    _check_temperature(reading)
    _mean_size(reading)
    _element_size(reading)


def _choose_values(reading: Reading, one: PendingRange) -> None:
    name = one.parameter.name
    said = reading.counts.pop(name, None)
    if said is None and len(reading.ranges) == 1:
        said = reading.counts.pop("", None)
    count = said[0] if said else one.count
    source = f"{one.source}, {said[1]}" if said else one.source
    values: tuple[float, ...]
    if not math.isfinite((one.high - one.low) * _MOST_POINTS):
        values, problem = (), "its ends are too far from each other"
    elif one.step is not None:
        values, problem = _by_step(one)
        if count is not None and not problem and count != len(values):
            problem = f"the steps give {len(values)} values, not {count}"
    else:
        if count is None and name == "rand_seed":
            count = int(abs(one.high - one.low)) + 1
        if count is None:
            count = USUAL_POINTS
            reading.assumed.append(f"{source}: {count} values, evenly spaced, because their number is not said")
        if one.count is not None and said is None:
            reading.assumed.append(f"{source}: {count} values, both ends included")
        values, problem = _by_count(reading, one, count)
    if problem:
        reading.not_understood.append(f"{source}: {problem}")
    elif len(values) == 1:
        reading.state(name, exact(one.parameter, values[0]), source)
        reading.understood.append(f"{name} = {text_of(values[0])}: {source}")
    else:
        state_sweep(reading, one.parameter, tuple(exact(one.parameter, value) for value in values), one.words, source)


def _by_step(one: PendingRange) -> tuple[tuple[float, ...], str]:
    step = one.step or 0.0
    if step == 0 or not math.isfinite(step):
        return (), "the step is 0"
    step = math.copysign(step, one.high - one.low)
    intervals = (one.high - one.low) / step
    if intervals + 1 > _MOST_POINTS:
        return (), f"these are more than {_MOST_POINTS} values"
    count = math.floor(intervals + 1e-9)
    values = tuple(_rounded(one.low + at * step) for at in range(count + 1))
    if abs(count - intervals) > 1e-9:
        return (), f"the step {abs(step):g} does not lead from {one.low:g} to {one.high:g}"
    return values, ""


def _by_count(reading: Reading, one: PendingRange, count: int) -> tuple[tuple[float, ...], str]:
    if count > _MOST_POINTS:
        return (), f"these are more than {_MOST_POINTS} values"
    if one.low == one.high:
        return (), "both ends are the same"
    if count == 1:
        return (), "a range has two ends; one value lies on neither"
    if reading.logarithmic:
        if one.low <= 0 or one.high <= 0:
            return (), "a logarithmic range has no zero and nothing negative"
        ratio = one.high / one.low
        values = tuple(one.low * ratio ** (at / (count - 1)) for at in range(count))
    else:
        values = tuple(one.low + (one.high - one.low) * at / (count - 1) for at in range(count))
    if one.parameter.kind is int:
        whole = tuple(float(round(value)) for value in values)
        if any(abs(value - other) > 1e-9 for value, other in zip(values, whole, strict=True)):
            reading.assumed.append(f"{one.source}: rounded to {text_of(tuple(int(value) for value in whole))}")
        if len(set(whole)) != count:
            return (), f"there are not {count} whole numbers"
        return whole, ""
    return tuple(_rounded(value) for value in values), ""


def _rounded(value: float) -> float:
    return float(f"{value:.10g}")


def _check_counts(reading: Reading) -> None:
    """Numbers of values that belong to no range: they agree with a list, or they are told."""
    for name, (count, source) in reading.counts.items():
        names = [name] if name else list(reading.sweep)
        lists = [reading.sweep[one] for one in names if one in reading.sweep]
        if any(len(values) == count for values in lists) or (not lists and name in reading.values and count == 1):
            reading.understood.append(f"{count} values: {source}")
        elif lists:
            reading.not_understood.append(f"{source}: there are {len(lists[0])}")
        else:
            example = "; say which, as in “between 300 and 750 K”" if name == "T" else "; say which"
            reading.not_understood.append(f"{source}{example}")


def _material_data(reading: Reading) -> MaterialData | None:
    return reading.material.physics.get(reading.words.application.name) if reading.material else None


def _material_values(reading: Reading) -> None:
    data = _material_data(reading)
    if data is None:
        _no_material(reading)
        return
    label = reading.material.label if reading.material else ""
    given = []
    for name, value in data.values.items():
        if name in reading.values or name in reading.sweep:
            if name in reading.values and reading.values[name].value != value:
                reading.assumed.append(f"{name} as said, instead of {text_of(value)} of {label}")
        elif reading.state(name, value, label, note=f"{label}: {data.source}"):
            given.append(f"{name} = {text_of(value)}")
    if given:
        reading.understood.append(f"{', '.join(given)}: {label} ({data.source})")


def _no_material(reading: Reading) -> None:
    physics = reading.words.application.name
    needed = _material_parameters(reading)
    missing = [name for name in needed if name not in reading.values and name not in reading.sweep]
    if reading.material is not None:
        if missing or not needed:
            others = f"; give {', '.join(missing)}" if missing else ""
            reading.not_understood.append(f"{reading.material.label}: nothing is known of it for {physics}{others}")
    elif missing and reading.words.without_material:
        reading.assumed.append(f"no material is named: {reading.words.without_material}")


def _material_parameters(reading: Reading) -> list[str]:
    """The parameters that materials give for this physics."""
    name = reading.words.application.name
    return list(dict.fromkeys(key for one in materials() if name in one.physics for key in one.physics[name].values))


def _check_temperature(reading: Reading) -> None:
    """A temperature without a parameter: that of the data, or the plan would be wrong."""
    if reading.temperature is None:
        return
    kelvin, source = reading.temperature
    data = _material_data(reading)
    if data is not None and data.temperature_kelvin is not None:
        if abs(kelvin - data.temperature_kelvin) <= _SAME_TEMPERATURE:
            reading.understood.append(f"temperature = {data.temperature_kelvin:g} K, that of the data: {source}")
            return
        label = reading.material.label if reading.material else ""
        known = f"{data.temperature_kelvin:g} K ({data.temperature_kelvin - 273.15:g} °C)"
        reading.not_understood.append(f"{source}: the data of {label} hold at {known} only")
        return
    reading.not_understood.append(f"{source}: {reading.words.application.name} has no temperature without a material")


def _homologous_temperature(reading: Reading) -> None:
    """A temperature that is given as a fraction of the melting temperature."""
    found = reading.derived.pop(HOMOLOGOUS, None)
    if found is None:
        return
    fraction, source = found
    melting = reading.material.melting_temperature_kelvin if reading.material else None
    if melting is None:
        reading.not_understood.append(f"{source}: no melting temperature is known; give kelvins")
        return
    kelvin = float(f"{fraction * melting:.6g}")
    if reading.state("T", kelvin, source, note=f"“{source}”, {melting:g} K"):
        reading.understood.append(f"T = {kelvin:g} K: {source}, {melting:g} K")


def _mean_size(reading: Reading) -> None:
    """The box that holds so many grains of this size, or the grains that fill the box."""
    sizes = [(key, *reading.derived.pop(key)) for key in ("mean_diameter", "mean_radius") if key in reading.derived]
    for at, (key, value, source) in enumerate(sizes):
        if at or value <= 0:
            reading.not_understood.append(f"{source}: {'a size is said already' if at else 'give a size above 0'}")
            continue
        radius = value / 2 if key == "mean_diameter" else value
        if "num_grains" in reading.sweep or any(name in reading.sweep for name in _BOX):
            reading.not_understood.append(f"{source}: give the box instead, where grains or box are swept")
        elif "xmax" in reading.values and "num_grains" in reading.values:
            reading.not_understood.append(f"{source}: box and number of grains are said already, and give the size")
        elif "xmax" in reading.values:
            _grains_of_size(reading, radius, source)
        else:
            _box_of_grains(reading, radius, source)


_BOX = ("xmax", "ymax", "zmax")


def _grains_of_size(reading: Reading, radius: float, source: str) -> None:
    volume = math.prod(_lengths(reading))
    one = math.pi * radius**2 if reading.dimension == 2 else 4 / 3 * math.pi * radius**3
    grains = round(volume / one)
    if reading.state("num_grains", grains, source, note=f"box over grains of “{source}”"):
        reading.understood.append(f"num_grains = {grains}: {source}, in the box")


def _lengths(reading: Reading) -> Iterator[float]:
    for name in _BOX[: reading.dimension]:
        value = reading.values.get(name, reading.values["xmax"]).value
        yield float(value)


def _box_of_grains(reading: Reading, radius: float, source: str) -> None:
    grains = reading.values.get("num_grains")
    parameter = reading.words.parameter("num_grains")
    number = float(grains.value) if grains else float(parameter.default or 0) if parameter else 0.0
    if reading.dimension == 2:
        side = math.sqrt(math.pi * number) * radius
    else:
        side = (4 / 3 * math.pi * number) ** (1 / 3) * radius
    side = float(f"{side:.4g}")
    for name in _BOX[: reading.dimension]:
        reading.state(name, side, source, note=f"{number:g} grains of “{source}”")
    reading.understood.append(f"{', '.join(_BOX[: reading.dimension])} = {side:g} nm: {number:g} grains of {source}")


def _element_size(reading: Reading) -> None:
    """The number of elements of this size along each side of the box."""
    found = reading.derived.pop("element_size", None)
    if found is None:
        return
    size, source = found
    if "xmax" not in reading.values or size <= 0:
        reading.not_understood.append(f"{source}: say how long the box is, too")
        return
    done = []
    for axis, length in zip("xyz", _lengths(reading), strict=False):
        count = max(1, round(length / size))
        if reading.state(f"n{axis}", count, source, note=f"box over “{source}”"):
            done.append(f"n{axis} = {count}")
    if done:
        reading.understood.append(f"{', '.join(done)}: {source}")
