"""Symbolic derivatives of expressions."""

import math
from collections.abc import Callable

from towline.simulations.moose.expression_nodes import ONE, TWO, ZERO, Node, call, name_node, number, ordered


def derivative(root: Node, name: str) -> Node:
    """Return the derivative of an expression with respect to a name.

    Comparisons and the functions that round have derivative 0; ``abs``, ``min``, ``max`` and ``if`` have that of the
    branch which is taken, as in FParser.
    """
    variable = name_node(name)
    slopes: dict[int, Node] = {}
    for node in ordered([root]):
        inner = tuple(slopes[id(one)] for one in node.arguments)
        if node is variable:
            slopes[id(node)] = ONE
        elif all(one is ZERO for one in inner):
            slopes[id(node)] = ZERO
        else:
            slopes[id(node)] = _of_call(node, inner)
    return slopes[id(root)]


def _of_call(node: Node, inner: tuple[Node, ...]) -> Node:
    arguments = node.arguments
    if node.function in _CONSTANT_PIECES:
        return ZERO
    if node.function in _ONE_ARGUMENT:
        return call("*", _ONE_ARGUMENT[node.function](arguments[0], node), inner[0])
    return _SEVERAL_ARGUMENTS[node.function](node, *arguments, *inner)


_CONSTANT_PIECES = frozenset(["=", "!=", "<", "<=", ">", ">=", "below", "&", "|", "!", "floor", "ceil", "trunc", "int"])


def _inverse(node: Node) -> Node:
    return call("/", ONE, node)


def _square(node: Node) -> Node:
    return call("^", node, TWO)


def _inverse_root(node: Node) -> Node:
    return _inverse(call("sqrt", node))


def _scaled(factor: float, node: Node) -> Node:
    return call("*", number(factor), node)


#: Outer derivative of functions of one argument: from the argument and the function's own value.
_ONE_ARGUMENT: dict[str, Callable[[Node, Node], Node]] = {
    "negative": lambda a, f: number(-1.0),
    "abs": lambda a, f: call("if", call("below", a, ZERO), number(-1.0), ONE),
    "sqrt": lambda a, f: call("/", number(0.5), f),
    "cbrt": lambda a, f: _inverse(_scaled(3.0, _square(f))),
    "exp": lambda a, f: f,
    "exp2": lambda a, f: _scaled(math.log(2.0), f),
    "log": lambda a, f: _inverse(a),
    "log10": lambda a, f: call("/", number(1.0 / math.log(10.0)), a),
    "log2": lambda a, f: call("/", number(1.0 / math.log(2.0)), a),
    "sin": lambda a, f: call("cos", a),
    "cos": lambda a, f: call("negative", call("sin", a)),
    "tan": lambda a, f: call("+", ONE, _square(f)),
    "asin": lambda a, f: _inverse_root(call("-", ONE, _square(a))),
    "acos": lambda a, f: call("negative", _inverse_root(call("-", ONE, _square(a)))),
    "atan": lambda a, f: _inverse(call("+", ONE, _square(a))),
    "sinh": lambda a, f: call("cosh", a),
    "cosh": lambda a, f: call("sinh", a),
    "tanh": lambda a, f: call("-", ONE, _square(f)),
    "asinh": lambda a, f: _inverse_root(call("+", _square(a), ONE)),
    "acosh": lambda a, f: _inverse_root(call("-", _square(a), ONE)),
    "atanh": lambda a, f: _inverse(call("-", ONE, _square(a))),
    "erf": lambda a, f: _scaled(2.0 / math.sqrt(math.pi), call("exp", call("negative", _square(a)))),
}


def _of_product(f: Node, a: Node, b: Node, da: Node, db: Node) -> Node:
    return call("+", call("*", da, b), call("*", a, db))


def _of_quotient(f: Node, a: Node, b: Node, da: Node, db: Node) -> Node:
    if db is ZERO:
        return call("/", da, b)
    return call("/", call("-", call("*", da, b), call("*", a, db)), _square(b))


def _of_power(f: Node, a: Node, b: Node, da: Node, db: Node) -> Node:
    by_base = call("*", call("*", b, call("^", a, call("-", b, ONE))), da)
    if db is ZERO:
        return by_base
    by_exponent = call("*", call("*", f, call("log", a)), db)
    return call("+", by_base, by_exponent)


def _of_remainder(f: Node, a: Node, b: Node, da: Node, db: Node) -> Node:
    return call("-", da, call("*", call("trunc", call("/", a, b)), db))


def _of_atan2(f: Node, a: Node, b: Node, da: Node, db: Node) -> Node:
    return call("/", call("-", call("*", b, da), call("*", a, db)), call("+", _square(a), _square(b)))


def _of_hypot(f: Node, a: Node, b: Node, da: Node, db: Node) -> Node:
    return call("/", call("+", call("*", a, da), call("*", b, db)), f)


#: From the node itself, its arguments and their derivatives.
_SEVERAL_ARGUMENTS: dict[str, Callable[..., Node]] = {
    "+": lambda f, a, b, da, db: call("+", da, db),
    "-": lambda f, a, b, da, db: call("-", da, db),
    "*": _of_product,
    "/": _of_quotient,
    "^": _of_power,
    "%": _of_remainder,
    "atan2": _of_atan2,
    "hypot": _of_hypot,
    "min": lambda f, a, b, da, db: call("if", call("below", b, a), db, da),
    "max": lambda f, a, b, da, db: call("if", call("below", a, b), db, da),
    "if": lambda f, condition, a, b, dcondition, da, db: call("if", condition, da, db),
}
