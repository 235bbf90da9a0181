"""Whether the text of a field is a value of its parameter."""

import re

from towline.simulations.moose import expressions
from towline.simulations.moose.problems import ERROR, WARNING, InvalidInputFile, Problem, suggestion
from towline.simulations.moose.registry import IGNORED, REFUSED, Parameter
from towline.simulations.moose.tree import Field

_SPAN = re.compile(r"(-?[\d.]+)\.\.(-?[\d.]+)")
_COMPARISONS = {">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


def check_value(one: Field, parameter: Parameter) -> list[Problem]:
    """Return what is wrong with a value: its kind, its range, an option that does not exist, a lack of support."""
    if parameter.support == IGNORED:
        return [Problem(f"parameter '{one.path}' is ignored by the embedded solver", one.position, WARNING)]
    if parameter.support == REFUSED and not _same(one.text, parameter):
        allowed = f"; it can only be {parameter.default}" if parameter.default is not None else ""
        return [Problem(f"parameter '{one.path}' is not supported by the embedded solver{allowed}", one.position)]
    try:
        return _checked(one, parameter)
    except InvalidInputFile as error:
        return list(error.problems)


def _same(text: str, parameter: Parameter) -> bool:
    if parameter.default is None:
        return False
    if parameter.kind == "bool":
        true = ("true", "on", "yes", "1")
        return (text.strip().lower() in true) == (parameter.default in true)
    try:
        return float(text) == float(parameter.default)
    except ValueError:
        return text.strip().lower() == parameter.default.lower()


def _checked(one: Field, parameter: Parameter) -> list[Problem]:
    kind = parameter.kind
    if kind in ("enum", "enums"):
        return _check_options(one, parameter)
    if kind == "bool":
        one.as_bool()
    elif kind in ("int", "ints"):
        return _check_range(one, parameter, (one.as_int(),) if kind == "int" else one.as_integers())
    elif kind in ("float", "floats"):
        return _check_range(one, parameter, (one.as_float(),) if kind == "float" else one.as_vector())
    elif kind == "expression":
        return _check_expression(one)
    elif not one.text.strip() and parameter.required:
        return [Problem(f"parameter '{one.path}' is empty", one.position)]
    return []


def _check_options(one: Field, parameter: Parameter) -> list[Problem]:
    words = one.as_strings() if parameter.kind == "enums" else (one.text.strip(),)
    options = {option.lower(): option for option in parameter.options}
    problems = []
    for word in words:
        # `execute_on = -initial` takes an option away.
        name = word.removeprefix("-").removeprefix("+") if parameter.kind == "enums" else word
        if name.lower() not in options:
            listed = ", ".join(parameter.options)
            hint = suggestion(name.lower(), options)
            text = f'Invalid option "{word}" in MooseEnum. Valid options (not case-sensitive) are {listed}{hint}'
            problems.append(Problem(f"{text}, for parameter '{one.path}'", one.position))
        elif options[name.lower()] in parameter.refused_options:
            text = f"{parameter.name} = {word} is not supported by the embedded solver ('{one.path}')"
            problems.append(Problem(text, one.position, ERROR))
    return problems


def _check_range(one: Field, parameter: Parameter, numbers: tuple[float, ...]) -> list[Problem]:
    if all(_within(number, parameter.range) for number in numbers):
        return []
    text = f"Range check failed for parameter {one.path}: expected {parameter.name} {_spoken(parameter.range)}"
    return [Problem(f"{text}, got {one.text}", one.position)]


def _spoken(limits: str) -> str:
    return limits.replace("..", " to ")


def _within(number: float, limits: str) -> bool:
    if not limits:
        return True
    span = _SPAN.fullmatch(limits)
    if span is not None:
        return float(span[1]) <= number <= float(span[2])
    comparison, limit = limits.split()
    return bool(_COMPARISONS[comparison](number, float(limit)))


def _check_expression(one: Field) -> list[Problem]:
    try:
        expressions.parse(one.text)
    except expressions.InvalidExpression as error:
        return [Problem(f"Invalid function in '{one.path}': {error}", one.position)]
    return []
