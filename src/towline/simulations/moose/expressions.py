"""The expression language of MOOSE's inputs, that of FParser.

Operators, from the tightest: ``^`` (from the right), unary ``-`` and ``!``, ``* / %``, ``+ -``, comparisons, ``&``,
``|``. So ``-2^2`` is -4. What is true is at least 0.5 in size; numbers are equal up to 1e-12.
``a:=expr; b:=expr; result`` names parts. Text is never handed to Python: it becomes known functions, or an error.

>>> f = parse("W*c^2*(1-c)^2")
>>> f.derivative("c").evaluate_number({"c": 0.25, "W": 16})
3.0
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from towline.errors import InvalidRequest
from towline.simulations.moose.expression_derivatives import derivative
from towline.simulations.moose.expression_nodes import (
    FUNCTIONS,
    ONE,
    Array,
    Node,
    Program,
    call,
    name_node,
    number,
    ordered,
    substituted,
)
from towline.simulations.moose.problems import suggestion

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>:=|!=|<=|>=|[-+*/%^=<>&|!(),;]))"
)
_CONSTANTS = {"pi": math.pi, "e": math.e}
#: Parentheses and signs within each other.
_DEEPEST = 100
#: Longest text; more is an attack, or a file that should not have been given here.
_LONGEST = 100_000

_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
#: Left to right, the loosest first.
_LEVELS = (("|",), ("&",), _COMPARISONS, ("+", "-"), ("*", "/", "%"))

_TWO_ARGUMENTS = frozenset(["atan2", "hypot", "min", "max"])
_NO_CALLS = frozenset(["negative", "below"])


class InvalidExpression(InvalidRequest):
    """A text is no expression, or a name in it has no value."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression."""

    root: Node
    #: Every name in the text that is no constant and not defined in it.
    names: frozenset[str]

    def derivative(self, *names: str) -> "Expression":
        """Return the derivative with respect to names, one after the other."""
        root = self.root
        for name in names:
            root = derivative(root, name)
        return Expression(root, _names_of(root))

    def substitute(self, replacements: "Mapping[str, Expression | float]") -> "Expression":
        """Return the expression with names replaced, all at once, by numbers or other expressions."""
        nodes = {name: one.root if isinstance(one, Expression) else number(one) for name, one in replacements.items()}
        root = substituted(self.root, nodes)
        return Expression(root, _names_of(root))

    def evaluate(self, values: Mapping[str, Array]) -> Any:
        """Compute the value for numbers or arrays, element by element; what is not defined is nan or infinite.

        Raises
        ------
        InvalidExpression
            A name has no value.
        """
        missing = sorted(_names_of(self.root) - set(values))
        if missing:
            raise InvalidExpression(f"no value for '{missing[0]}'{suggestion(missing[0], values)}")
        names = tuple(sorted(_names_of(self.root)))
        # Arrays of integers would divide and overflow as integers do.
        return Program((self.root,), names)(*(_as_real(values[name]) for name in names))[0]

    def evaluate_number(self, values: Mapping[str, float]) -> float:
        """Compute the value for numbers.

        Raises
        ------
        InvalidExpression
            A name has no value.
        """
        return float(self.evaluate(values))

    def compiled(self, names: Sequence[str]) -> Callable[..., Any]:
        """Return a function of arrays (of float, in the order of `names`) that is fast to call often.

        Raises
        ------
        InvalidExpression
            The expression has a name that is not among them.
        """
        program = compiled([self], names)
        return lambda *values: program(*values)[0]

    @property
    def constant(self) -> float | None:
        """The value, if it depends on nothing."""
        return self.root.value if self.root.is_number else None


def compiled(expressions: Sequence[Expression], names: Sequence[str]) -> Program:
    """Return a function that computes several expressions; parts that they share are computed once.

    Raises
    ------
    InvalidExpression
        An expression has a name that is not in `names`.
    """
    roots = tuple(one.root for one in expressions)
    missing = sorted(frozenset[str]().union(*(_names_of(root) for root in roots)) - set(names))
    if missing:
        raise InvalidExpression(f"no value for '{missing[0]}'{suggestion(missing[0], names)}")
    return Program(roots, tuple(names))


def parse(text: str) -> Expression:
    """Read an expression.

    Raises
    ------
    InvalidExpression
        The text is none; the message says where, and what was expected.
    """
    if len(text) > _LONGEST:
        raise InvalidExpression(f"an expression of {len(text)} characters: at most {_LONGEST} are read")
    return _Parser(text).parse()


def constant(value: float) -> Expression:
    """Return the expression of a number."""
    return Expression(number(value), frozenset())


def _names_of(root: Node) -> frozenset[str]:
    return frozenset(node.name for node in ordered([root]) if node.name)


def _as_real(value: Array) -> Array:
    return value.astype(float, copy=False) if isinstance(value, np.ndarray) else float(value)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0
        self._depth = 0
        self._locals: dict[str, Node] = {}
        self._names: set[str] = set()

    def _split(self) -> list[tuple[str, str, int]]:
        tokens, at = [], 0
        while self._text[at:].strip():
            match = _TOKEN.match(self._text, at)
            if match is None:
                at += len(self._text[at:]) - len(self._text[at:].lstrip())
                raise InvalidExpression(f"unexpected '{self._text[at]}' at character {at + 1} of '{self._text}'")
            kind = str(match.lastgroup)
            tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        return [*tokens, ("end", "the end", len(self._text))]

    def parse(self) -> Expression:
        while self._is_definition():
            name = self._take()
            self._take()
            if name in _CONSTANTS or name in FUNCTIONS or name in _SPELLED_OUT:
                raise InvalidExpression(f"'{name}' cannot be defined in '{self._text}': it has a meaning already")
            self._locals[name] = self._level(0)
            self._expect(";")
        root = self._level(0)
        if self._kind != "end":
            self._unexpected("an operator")
        return Expression(root, frozenset(self._names))

    def _is_definition(self) -> bool:
        return self._kind == "name" and self._tokens[self._at + 1][1] == ":="

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _word(self) -> str:
        return self._tokens[self._at][1]

    def _take(self) -> str:
        word = self._word
        self._at += 1
        return word

    def _expect(self, operator: str) -> None:
        if self._kind != "operator" or self._word != operator:
            self._unexpected(f"'{operator}'")
        self._at += 1

    def _unexpected(self, wanted: str) -> NoReturn:
        _, word, at = self._tokens[self._at]
        raise InvalidExpression(f"expected {wanted} at character {at + 1} of '{self._text}', got '{word}'")

    def _is_operator(self, operators: Sequence[str]) -> bool:
        return self._kind == "operator" and self._word in operators

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._sign()
        left = self._level(level + 1)
        while self._is_operator(_LEVELS[level]):
            operator = self._take()
            left = call(operator, left, self._level(level + 1))
        return left

    def _sign(self) -> Node:
        """Read signs, and what they stand before."""
        self._enter()
        if self._is_operator(("-", "!", "+")):
            sign = self._take()
            inner = self._sign()
            node = {"-": lambda: call("negative", inner), "!": lambda: call("!", inner), "+": lambda: inner}[sign]()
        else:
            node = self._atom()
            if self._is_operator(("^",)):
                self._take()
                node = call("^", node, self._sign())
        self._depth -= 1
        return node

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise InvalidExpression(f"more than {_DEEPEST} parentheses, powers or signs within each other")

    def _atom(self) -> Node:
        if self._kind == "number":
            return number(float(self._take()))
        if self._kind == "name":
            return self._name()
        if not self._is_operator(("(",)):
            self._unexpected("a number, a name or '('")
        self._take()
        node = self._level(0)
        self._expect(")")
        return node

    def _name(self) -> Node:
        name = self._word
        following = self._tokens[self._at + 1]
        if following[1] == "(" and following[0] == "operator":
            return self._call()
        if name in FUNCTIONS or name in _SPELLED_OUT:
            self._at += 1
            self._unexpected(f"'(' after the function {name}")
        self._take()
        if name in self._locals:
            return self._locals[name]
        if name in _CONSTANTS:
            return number(_CONSTANTS[name])
        self._names.add(name)
        return name_node(name)

    def _call(self) -> Node:
        name = self._take()
        known = [one for one in FUNCTIONS if one.isidentifier() and one not in _NO_CALLS]
        if name not in (*known, *_SPELLED_OUT):
            hint = suggestion(name, (*known, *_SPELLED_OUT))
            raise InvalidExpression(f"unknown function '{name}' in '{self._text}'{hint}")
        self._take()
        arguments = [] if self._is_operator((")",)) else [self._level(0)]
        while self._is_operator((",",)):
            self._take()
            arguments.append(self._level(0))
        self._expect(")")
        wanted = 3 if name == "if" else 2 if name in (*_TWO_ARGUMENTS, "pow", "plog") else 1
        if len(arguments) != wanted:
            raise InvalidExpression(f"{name} takes {wanted} argument(s), got {len(arguments)} in '{self._text}'")
        return _SPELLED_OUT[name](*arguments) if name in _SPELLED_OUT else call(name, *arguments)


def _plog(value: Node, limit: Node) -> Node:
    """Write plog(x, ε): below ε the Taylor series of third order, log(ε) + r - r²/2 + r³/3 with r = x/ε - 1."""
    ratio = call("-", call("/", value, limit), ONE)
    series = call("log", limit)
    for exponent, factor in ((1, 1.0), (2, -0.5), (3, 1.0 / 3.0)):
        series = call("+", series, call("*", number(factor), call("^", ratio, number(exponent))))
    return call("if", call("below", value, limit), series, call("log", value))


def _one_over(function: str) -> Callable[[Node], Node]:
    return lambda argument: call("/", ONE, call(function, argument))


#: Functions that are written with others.
_SPELLED_OUT: dict[str, Callable[..., Node]] = {
    "pow": lambda base, exponent: call("^", base, exponent),
    "plog": _plog,
    "sec": _one_over("cos"),
    "csc": _one_over("sin"),
    "cot": _one_over("tan"),
}
