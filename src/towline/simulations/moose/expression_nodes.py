"""The nodes of an expression, how they simplify when they are made, and what each function computes.

Two nodes that say the same are the same object, so a part that occurs twice, as in every derivative, is computed once.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

#: A number, or an array of them.
Array = float | NDArray[np.float64]

#: What FParser takes for equal, and for true.
_EQUAL = 1e-12
_TRUE = 0.5


class Node:
    """A number, a name, or a function of other nodes."""

    __slots__ = ("__weakref__", "arguments", "function", "name", "value")

    def __init__(self, function: str, arguments: "tuple[Node, ...]", value: float, name: str) -> None:
        #: Empty for numbers and names.
        self.function = function
        self.arguments = arguments
        self.value = value
        self.name = name

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return not self.function and not self.name


_NODES: WeakValueDictionary[tuple[object, ...], Node] = WeakValueDictionary()


def _interned(function: str, arguments: tuple[Node, ...], value: float = 0.0, name: str = "") -> Node:
    # A number is told by its digits: -0.0 is not 0.0, and nan is itself.
    key = (function, *(id(one) for one in arguments), float(value).hex(), name)
    node = _NODES.get(key)
    if node is None:
        node = _NODES[key] = Node(function, arguments, float(value), name)
    return node


def number(value: float) -> Node:
    """Return the node of a number."""
    return _interned("", (), value)


def name_node(name: str) -> Node:
    """Return the node of a name."""
    return _interned("", (), 0.0, name)


ZERO, ONE, TWO = number(0.0), number(1.0), number(2.0)


def call(function: str, *arguments: Node) -> Node:
    """Return a function of nodes; simplified where that is safe."""
    rule = _RULES.get(function)
    simple = rule(*arguments) if rule is not None else None
    if simple is not None:
        return simple
    if all(one.is_number for one in arguments):
        with np.errstate(all="ignore"):
            return number(float(FUNCTIONS[function](*(one.value for one in arguments))))
    return _interned(function, arguments)


def ordered(roots: Iterable[Node]) -> list[Node]:
    """Return all nodes below some roots, arguments before what uses them; without recursion, however deep they are."""
    done: dict[int, None] = {}
    result: list[Node] = []
    for root in roots:
        stack = [(root, False)]
        while stack:
            node, expanded = stack.pop()
            if id(node) in done:
                continue
            if expanded:
                done[id(node)] = None
                result.append(node)
            else:
                stack.append((node, True))
                stack.extend((one, False) for one in reversed(node.arguments) if id(one) not in done)
    return result


def substituted(root: Node, replacements: Mapping[str, Node]) -> Node:
    """Return an expression in which names are replaced by nodes."""
    new: dict[int, Node] = {}
    for node in ordered([root]):
        if node.name:
            new[id(node)] = replacements.get(node.name, node)
        elif node.function:
            new[id(node)] = call(node.function, *(new[id(one)] for one in node.arguments))
        else:
            new[id(node)] = node
    return new[id(root)]


def _is(node: Node, value: float) -> bool:
    return node.is_number and node.value == value


def _add(left: Node, right: Node) -> Node | None:
    if _is(left, 0):
        return right
    if _is(right, 0):
        return left
    if right.function == "negative":
        return call("-", left, right.arguments[0])
    return call("*", TWO, left) if left is right and not left.is_number else None


def _subtract(left: Node, right: Node) -> Node | None:
    if _is(right, 0):
        return left
    if left is right:
        return ZERO
    if _is(left, 0):
        return call("negative", right)
    return call("+", left, right.arguments[0]) if right.function == "negative" else None


def _multiply(left: Node, right: Node) -> Node | None:
    for one, other in ((left, right), (right, left)):
        if _is(one, 0):
            return ZERO
        if _is(one, 1):
            return other
        if _is(one, -1) and not other.is_number:
            return call("negative", other)
    if right.is_number and not left.is_number:
        return call("*", right, left)
    if left.is_number and right.function == "*" and right.arguments[0].is_number:
        return call("*", call("*", left, right.arguments[0]), right.arguments[1])
    if right.function == "negative":
        return call("negative", call("*", left, right.arguments[0]))
    if left.function == "negative":
        return call("negative", call("*", left.arguments[0], right))
    return None


def _divide(left: Node, right: Node) -> Node | None:
    if _is(right, 1):
        return left
    if _is(left, 0) and not _is(right, 0):
        return ZERO
    return None


def _power(base: Node, exponent: Node) -> Node | None:
    if _is(exponent, 0):
        return ONE
    return base if _is(exponent, 1) else None


def _negative(one: Node) -> Node | None:
    return one.arguments[0] if one.function == "negative" else None


def _if(condition: Node, one: Node, other: Node) -> Node | None:
    if condition.is_number:
        return one if abs(condition.value) >= _TRUE else other
    return one if one is other else None


_RULES: dict[str, Callable[..., Node | None]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "^": _power,
    "negative": _negative,
    "if": _if,
}


def _truth(value: Array) -> Any:
    return np.abs(value) >= _TRUE


def _as_number(condition: Any) -> Any:
    return condition * 1.0


def _erf(value: Array) -> Any:
    from scipy.special import erf  # type: ignore[import-untyped]  # a tenth of a second that few expressions need

    return erf(value)


def power(base: Array, exponent: Array) -> Any:
    """Raise to a power; small whole ones by multiplication, which is ten times faster than the general way."""
    if (
        isinstance(exponent, float)
        and exponent.is_integer()
        and 2 <= abs(exponent) <= 16
        and isinstance(base, np.ndarray)
    ):
        result = _whole_power(base, int(abs(exponent)))
        return result if exponent > 0 else 1.0 / result
    return np.power(np.asarray(base, dtype=float), exponent)


def _whole_power(base: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    result = None
    while True:
        if exponent & 1:
            result = base if result is None else result * base
        exponent >>= 1
        if not exponent:
            return base if result is None else result
        base = base * base


def _divided(left: Array, right: Array) -> Any:
    return np.divide(left, right)


def _fmod(left: Array, right: Array) -> Any:
    return np.fmod(left, right)


def _nearest(value: Array) -> Any:
    return np.where(np.less(value, 0), np.ceil(np.subtract(value, 0.5)), np.floor(np.add(value, 0.5)))


#: What is computed; the names are those of FParser, but for ``negative`` (unary minus) and ``below`` (``<`` to the
#: last digit, which expressions cannot name).
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
    "%": _fmod,
    "^": power,
    "negative": lambda a: -a,
    "=": lambda a, b: _as_number(np.abs(a - b) <= _EQUAL),
    "!=": lambda a, b: _as_number(np.abs(a - b) > _EQUAL),
    "<": lambda a, b: _as_number(a < b - _EQUAL),
    "<=": lambda a, b: _as_number(a <= b + _EQUAL),
    ">": lambda a, b: _as_number(a - _EQUAL > b),
    ">=": lambda a, b: _as_number(a + _EQUAL >= b),
    "below": lambda a, b: _as_number(np.less(a, b)),
    "&": lambda a, b: _as_number(np.logical_and(_truth(a), _truth(b))),
    "|": lambda a, b: _as_number(np.logical_or(_truth(a), _truth(b))),
    "!": lambda a: _as_number(np.logical_not(_truth(a))),
    "if": lambda condition, a, b: np.where(_truth(condition), a, b),
    "abs": np.abs,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "exp": np.exp,
    "exp2": np.exp2,
    "log": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "min": np.minimum,
    "max": np.maximum,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "int": _nearest,
    "erf": _erf,
}


class Program:
    """Some nodes, ready to be computed often: one step per different part, with few arrays alive at a time.

    Parameters
    ----------
    roots
        What is computed.
    names
        Order of the arguments.
    """

    def __init__(self, roots: tuple[Node, ...], names: tuple[str, ...]) -> None:
        nodes = ordered(roots)
        self._constants: dict[int, float] = {}
        self._inputs: list[tuple[int, int]] = []
        self._steps: list[tuple[Callable[..., Any], tuple[int, ...], int]] = []
        places = {id(node): place for place, node in enumerate(nodes)}
        for place, node in enumerate(nodes):
            if node.name:
                self._inputs.append((place, names.index(node.name)))
            elif node.function:
                arguments = tuple(places[id(one)] for one in node.arguments)
                self._steps.append((FUNCTIONS[node.function], arguments, place))
            else:
                self._constants[place] = node.value
        self._results = tuple(places[id(root)] for root in roots)
        self._endings = self._last_uses()

    def _last_uses(self) -> list[tuple[int, ...]]:
        """Return, for each step, the places that nobody needs after it."""
        last: dict[int, int] = {}
        for step, (_, arguments, _) in enumerate(self._steps):
            last.update(dict.fromkeys(arguments, step))
        kept = {*self._results, *self._constants}
        endings: list[list[int]] = [[] for _ in self._steps]
        for place, step in last.items():
            if place not in kept:
                endings[step].append(place)
        return [tuple(places) for places in endings]

    def __call__(self, *values: Array) -> list[Any]:
        """Compute the roots for numbers or arrays of one shape; what is not defined is nan or infinite."""
        registers: dict[int, Any] = dict(self._constants)
        for place, index in self._inputs:
            registers[place] = values[index]
        with np.errstate(all="ignore"):
            for (function, arguments, place), endings in zip(self._steps, self._endings, strict=True):
                registers[place] = function(*[registers[one] for one in arguments])
                for ending in endings:
                    del registers[ending]
        return [registers[place] for place in self._results]
