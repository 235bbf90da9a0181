"""How values of Python are written in an input."""

import re
from collections.abc import Sequence

from towline.errors import InvalidRequest
from towline.simulations.moose.lexer import unquote

#: What a field of a tree built in Python may hold.
Value = str | bool | int | float | Sequence[str] | Sequence[int] | Sequence[float]

_PLAIN = re.compile(r"[^\s\[#'\"$=]+")
_SIMPLE_BRACES = re.compile(r"[^\s\[#'\"$=]*\$\{[^\s{}]+\}[^\s\[#'\"$=]*")


def value_text(value: Value) -> str:
    """Return how a value of Python is written in an input, without quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return repr(value) if isinstance(value, int) else f"{float(value)!r}"
    return " ".join(value_text(item) for item in value)


def quoted(text: str) -> str:
    """Return a value with quotes if it needs them.

    Raises
    ------
    InvalidRequest
        The format cannot say this text: it ends with a backslash, or has both quotes behind backslashes.
    """
    if _PLAIN.fullmatch(text) or _SIMPLE_BRACES.fullmatch(text):
        return text
    for quote in "'\"":
        escaped = text.replace(quote, "\\" + quote)
        literal = f"{quote}{escaped}{quote}"
        if not text.endswith("\\") and unquote(literal) == text:
            return literal
    raise InvalidRequest(
        f"The value {text!r} cannot be written in an input file: a backslash before a quote escapes it."
    )
