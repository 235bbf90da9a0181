"""Checking what somebody states about a simulation against the parameters of its application.

Everything that is wrong is told at once, each with the range, the unit and the names that are near.
"""

import math
import re
from collections.abc import Iterable, Mapping

from towline.errors import InvalidRequest
from towline.simulations.application import Application, Origin, Parameter, Scalar, Value
from towline.simulations.moose.problems import suggestion
from towline.simulations.moose.units import convert

#: What a run may be called: it becomes the name of files and folders, and a word of a command line.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NUMBER_AND_UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*")
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")
#: ° and letters are what people write; pint knows the names.
_TEMPERATURES = {"°C": "degC", "℃": "degC", "C": "degC", "°F": "degF", "F": "degF"}


def check(application: Application, stated: Mapping[str, object], origin: Origin = Origin.STATED) -> dict[str, Value]:
    """The values of parameters from what was stated, under their own names and in their own units.

    Parameters
    ----------
    stated
        Names or aliases with numbers, truth values, words, or text such as ``"500 degC"``, whose unit is converted.
    origin
        Where the values come from.

    Raises
    ------
    InvalidRequest
        A name is unknown or stated twice, or a value is of the wrong kind or out of its range; all of them are told.
    """
    known = _names(application.parameters)
    found: dict[str, Value] = {}
    problems = []
    for name, raw in stated.items():
        parameter = known.get(name)
        if parameter is None:
            near = suggestion(name, known)
            hint = near or f"; to see what there is: tow simulation show {application.name}"
            problems.append(f"{application.name} has no parameter {name!r}{hint}")
        elif parameter.name in found:
            problems.append(f"{parameter.name} is stated twice (another name of it is {name!r})")
        else:
            try:
                found[parameter.name] = checked(parameter, raw, origin)
            except InvalidRequest as error:
                problems.append(str(error))
    if problems:
        raise InvalidRequest("\n".join(problems))
    return found


def check_values(application: Application, values: Mapping[str, Value]) -> dict[str, Value]:
    """Values that somebody else read, as from a sentence, held against kinds and ranges; origins and notes are kept.

    Raises
    ------
    InvalidRequest
        As :func:`check`.
    """
    held = check(application, {name: one.value for name, one in values.items()})
    known = {name: parameter.name for name, parameter in _names(application.parameters).items()}
    return {
        known[name]: Value(held[known[name]].value, one.origin, held[known[name]].unit, one.note)
        for name, one in values.items()
    }


def checked(parameter: Parameter, raw: object, origin: Origin = Origin.STATED) -> Value:
    """The value of one parameter.

    Raises
    ------
    InvalidRequest
        It is of the wrong kind, out of range, or in a unit that measures something else.
    """
    note = ""
    value: Scalar
    if parameter.kind is bool:
        value = _truth(parameter, raw)
    elif parameter.kind is str:
        value = _word(parameter, raw)
    else:
        value, note = _number(parameter, raw)
    return Value(value, origin, parameter.unit, note)


def described(parameter: Parameter) -> str:
    """What a parameter takes, as text: ``a number from 1 to 1357.77 K``."""
    if parameter.kind is bool:
        return "true or false"
    if parameter.choices:
        return "one of " + ", ".join(parameter.choices)
    if parameter.kind is str:
        return "letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit"
    kind = "a whole number" if parameter.kind is int else "a number"
    unit = f" {parameter.unit}" if parameter.unit else ""
    least, most = parameter.minimum, parameter.maximum
    if least is not None and most is not None:
        return f"{kind} from {least:g} to {most:g}{unit}"
    if least is not None:
        return f"{kind} of at least {least:g}{unit}"
    return kind + (f" of at most {most:g}{unit}" if most is not None else f" in {parameter.unit}" if unit else "")


def _names(parameters: Iterable[Parameter]) -> dict[str, Parameter]:
    """Every parameter by its name and its aliases; names win."""
    parameters = tuple(parameters)
    names = {alias: parameter for parameter in parameters for alias in parameter.aliases}
    return names | {parameter.name: parameter for parameter in parameters}


def _refused(parameter: Parameter, raw: object) -> InvalidRequest:
    shown = repr(raw) if len(repr(raw)) <= 80 else repr(raw)[:77] + "..."
    meaning = f" ({parameter.help})" if parameter.help else ""
    return InvalidRequest(f"{parameter.name} is {shown}; give {described(parameter)}{meaning}")


def _truth(parameter: Parameter, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().lower()
    if text in _TRUE or (isinstance(raw, int) and raw == 1):
        return True
    if text in _FALSE or (isinstance(raw, int) and raw == 0):
        return False
    raise _refused(parameter, raw)


def _word(parameter: Parameter, raw: object) -> str:
    if not isinstance(raw, str):
        raise _refused(parameter, raw)
    if parameter.choices:
        same = [choice for choice in parameter.choices if choice.lower() == raw.strip().lower()]
        if not same:
            near = suggestion(raw, parameter.choices)
            raise InvalidRequest(f"{_refused(parameter, raw)}{near}")
        return same[0]
    if not _NAME.fullmatch(raw) or ".." in raw:
        raise _refused(parameter, raw)
    return raw


def _number(parameter: Parameter, raw: object) -> tuple[float | int, str]:
    if isinstance(raw, bool):
        raise _refused(parameter, raw)
    note = ""
    if isinstance(raw, str):
        raw, note = _with_unit(parameter, raw)
    if not isinstance(raw, int | float):
        raise _refused(parameter, raw)
    try:
        value = float(raw)
    except OverflowError:
        raise _refused(parameter, raw) from None
    least = -math.inf if parameter.minimum is None else parameter.minimum
    most = math.inf if parameter.maximum is None else parameter.maximum
    if not math.isfinite(value) or not least <= value <= most:
        raise _refused(parameter, raw)
    if parameter.kind is not int:
        return value, note
    if value != int(value):
        raise _refused(parameter, raw)
    return int(raw), note


def _with_unit(parameter: Parameter, text: str) -> tuple[float | int, str]:
    """The number in a text, converted from the unit in the text to that of the parameter."""
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        raise _refused(parameter, text)
    number, unit = match[1], match[2]
    if unit is None or unit == parameter.unit:
        return (int(number) if number.lstrip("+-").isdigit() else float(number)), ""
    if not parameter.unit:
        raise InvalidRequest(f"{parameter.name} is {text!r}, but has no unit; give {described(parameter)}")
    name = _TEMPERATURES.get(unit, unit) if parameter.unit == "K" else unit
    return convert(number, name, parameter.unit), f"stated as {text.strip()}"
