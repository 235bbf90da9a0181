"""Functions of time and place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from towline.simulations.moose.expressions import Expression, InvalidExpression, parse
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.mesh import Array

Coordinates = tuple[Array, Array, Array]
ORIGIN: Coordinates = (np.zeros(()), np.zeros(()), np.zeros(()))


def three(where: tuple[Array, ...]) -> tuple[Array, Array, Array]:
    """Return x, y, z from the coordinates of a mesh; missing directions are zero."""
    x, y, z = (where + (np.zeros(()),) * 3)[:3]
    return x, y, z


class Function(Protocol):
    """A function of time and place."""

    def value(self, time: float, where: Coordinates) -> Array:
        """Return values, broadcastable to the coordinates."""


@dataclass(frozen=True)
class ConstantFunction:
    """The same everywhere."""

    number: float

    def value(self, time: float, where: Coordinates) -> Array:
        return np.asarray(self.number)


@dataclass(frozen=True)
class ParsedFunction:
    """An expression in x, y, z, t and symbols that stand for other functions."""

    expression: Expression
    symbols: Mapping[str, Function]

    def value(self, time: float, where: Coordinates) -> Array:
        values: dict[str, Array | float] = {"t": time, "x": where[0], "y": where[1], "z": where[2]}
        values.update({name: function.value(time, where) for name, function in self.symbols.items()})
        return np.asarray(self.expression.evaluate(values), dtype=float)

    @property
    def constant(self) -> float | None:
        """The value, if the expression holds nothing but numbers."""
        return self.expression.constant


@dataclass(frozen=True)
class PiecewiseFunction:
    """Tabulated values, constant outside the table; of time, or of one coordinate.

    ``kind`` is linear, left or right: between two points the interpolated value, that of the point passed last, or that
    of the next one.
    """

    points: tuple[float, ...]
    values: tuple[float, ...]
    kind: str = "linear"
    #: 0, 1, 2 for x, y, z; None for time.
    axis: int | None = None
    factor: float = 1.0

    def value(self, time: float, where: Coordinates) -> Array:
        at = np.asarray(time if self.axis is None else where[self.axis], dtype=float)
        if self.kind == "linear":
            return np.asarray(self.factor * np.interp(at, self.points, self.values))
        # A hair of tolerance: times are sums of steps and should count as the point that they were meant to hit.
        shift = 1e-13 * max(1.0, max(abs(point) for point in self.points))
        if self.kind == "left":
            place = np.searchsorted(self.points, at + shift, side="right") - 1
        else:
            place = np.searchsorted(self.points, at - shift, side="left")
        return self.factor * np.asarray(self.values)[np.clip(place, 0, len(self.values) - 1)]


class FunctionSet:
    """All functions of an input, and expressions that stand where a function's name may."""

    def __init__(self) -> None:
        self._functions: dict[str, Function] = {}

    def add(self, block: Block) -> None:
        """Build the function of a block below [Functions]."""
        builder = _BUILDERS.get(block.type)
        if builder is None:
            raise block.unsupported()
        self._functions[block.name] = builder(block, self)

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    def find(self, text: str, block: Block, parameter: str) -> Function:
        """Return the function of a name, or of an expression written in its place.

        Raises
        ------
        InvalidInputFile
            It is neither.
        """
        if text in self._functions:
            return self._functions[text]
        try:
            expression = parse(text)
        except InvalidExpression as error:
            raise block.refused(f"Unable to find function '{text}': {error}", parameter) from error
        unknown = expression.names - {"x", "y", "z", "t"}
        if unknown:
            known = ", ".join(sorted(self._functions)) or "none"
            raise block.refused(
                f"Unable to find function '{text}'; the functions of this input are: {known}", parameter
            )
        return ParsedFunction(expression, {})

    def constant(self, function: Function) -> float | None:
        """Return the value of a function that never changes."""
        if isinstance(function, ConstantFunction):
            return function.number
        return function.constant if isinstance(function, ParsedFunction) else None


def _parsed(block: Block, functions: FunctionSet) -> Function:
    text = block.text("expression", "value")
    names = block.words("symbol_names", "vars", default=())
    values = block.words("symbol_values", "vals", default=())
    if len(names) != len(values):
        raise block.refused("The number of symbol_names must match the number of symbol_values", "symbol_values")
    try:
        expression = parse(text)
    except InvalidExpression as error:
        raise block.refused(str(error), "expression", "value") from error
    symbols = {name: functions.find(value, block, "symbol_values") for name, value in zip(names, values, strict=True)}
    unknown = expression.names - {"x", "y", "z", "t"} - set(symbols)
    if unknown:
        raise block.refused(
            f"'{min(unknown)}' has no value in '{text}'; name it in symbol_names", "expression", "value"
        )
    return ParsedFunction(expression, symbols)


def _piecewise(block: Block, kind: str) -> PiecewiseFunction:
    if block.has("xy_data"):
        pairs = block.numbers("xy_data")
        points, values = pairs[::2], pairs[1::2]
    else:
        points, values = block.numbers("x"), block.numbers("y")
    if len(points) != len(values) or not points:
        raise block.refused(f"{len(points)} points and {len(values)} values; both must be given, as many of each", "y")
    if any(b <= a for a, b in pairwise(points)):
        raise block.refused("x-values are not strictly increasing", "x")
    axis = "xyz".index(block.choice("axis", options=("x", "y", "z"))) if block.has("axis") else None
    return PiecewiseFunction(points, values, kind, axis, block.number("scale_factor", default=1.0))


def _piecewise_linear(block: Block, _: FunctionSet) -> Function:
    return _piecewise(block, "linear")


def _piecewise_constant(block: Block, _: FunctionSet) -> Function:
    return _piecewise(block, block.choice("direction", options=("left", "right"), default="left"))


def _constant(block: Block, _: FunctionSet) -> Function:
    return ConstantFunction(block.number("value", default=0.0))


_BUILDERS: dict[str, Callable[[Block, FunctionSet], Function]] = {
    "ParsedFunction": _parsed,
    "PiecewiseLinear": _piecewise_linear,
    "PiecewiseConstant": _piecewise_constant,
    "ConstantFunction": _constant,
}
