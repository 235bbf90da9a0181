"""Brace expressions: ``${x}``, ``${raw …}``, ``${env …}``, ``${fparse …}``, ``${units …}``, ``${enumerate …}``.

Fields are resolved when somebody looks at them, each once, so the order of fields does not matter.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from towline.errors import InvalidRequest
from towline.simulations.moose import expressions, units
from towline.simulations.moose.problems import Problem, suggestion
from towline.simulations.moose.quoting import quoted
from towline.simulations.moose.tree import Field, Section

#: Expressions within expressions; more than this is a mistake, or an attack on the stack.
_DEEPEST = 50
_SPACE = " \t\r\n"


class _Unresolvable(Exception):
    """A field keeps its text; the complaint is None when that of another field says it all."""

    def __init__(self, complaint: str | None) -> None:
        super().__init__(complaint)
        self.complaint = complaint


@dataclass(frozen=True, slots=True)
class _Braces:
    """One expression; each argument is text and expressions that are glued together."""

    arguments: "tuple[_Template, ...]"


_Template = tuple[str | _Braces, ...]


def expand(tree: Section, environment: Mapping[str, str]) -> list[Problem]:
    """Replace the brace expressions in the fields of a tree by their values.

    Parameters
    ----------
    environment
        For ``${env NAME}``.

    Returns
    -------
    list of Problem
        All complaints; a field that cannot be resolved keeps its text.
    """
    return _Expander(environment).expand(tree)


class _Expander:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._texts: dict[int, str] = {}
        self._failed: set[int] = set()
        self._chain: list[Field] = []
        self._problems: list[Problem] = []

    def expand(self, tree: Section) -> list[Problem]:
        fields = [one for section in tree.walk_all() for one in section.fields if "${" in one.text]
        resolved = [(one, self._attempt(one)) for one in fields]
        for one, text in resolved:
            if text is not None:
                one.text = text
                one.raw = quoted(text) if text.strip() or not text else f"'{text}'"
        return self._problems

    def _attempt(self, one: Field) -> str | None:
        try:
            text = self._text(one)
            quoted(text)
        except _Unresolvable:
            return None
        except InvalidRequest as error:
            self._problems.append(Problem(str(error), one.position))
            return None
        return text

    def _text(self, one: Field) -> str:
        """Return the resolved text of a field; a complaint is noted once, at the field that has it."""
        if "${" not in one.text:
            return one.text
        if id(one) in self._failed:
            raise _Unresolvable(None)
        if id(one) not in self._texts:
            self._enter(one)
            try:
                self._texts[id(one)] = self._join(_parsed(one), one)
            except _Unresolvable as failure:
                self._failed.add(id(one))
                if failure.complaint is not None:
                    self._problems.append(Problem(failure.complaint, one.position))
                raise _Unresolvable(None) from failure
            finally:
                self._chain.pop()
        return self._texts[id(one)]

    def _enter(self, one: Field) -> None:
        self._chain.append(one)
        for index, above in enumerate(self._chain[:-1]):
            if above is one:
                names = " -> ".join(member.path for member in self._chain[index:])
                self._failed.update(id(member) for member in self._chain)
                self._chain.pop()
                raise self._cyclic(names, above)
        if len(self._chain) > 4 * _DEEPEST:
            self._chain.pop()
            raise _Unresolvable(f"brace expressions refer to each other more than {4 * _DEEPEST} times in '{one.path}'")

    def _cyclic(self, names: str, above: Field) -> _Unresolvable:
        self._problems.append(Problem(f"cyclic brace-expression dependency detected: {names}", above.position))
        return _Unresolvable(None)

    def _join(self, template: _Template, one: Field) -> str:
        return "".join(part if isinstance(part, str) else self._value(part, one) for part in template)

    def _value(self, expression: _Braces, one: Field) -> str:
        words = [self._join(argument, one) for argument in expression.arguments]
        if not words:
            raise _Unresolvable(f"empty brace expression in '{one.path}'")
        command, arguments = words[0], words[1:]
        if not arguments:
            return self._replace(command, one)
        if command == "replace" and len(arguments) == 1:
            return self._replace(arguments[0], one)
        if command == "raw":
            return "".join(arguments)
        if command == "env":
            return self._environment.get(arguments[0], "")
        if command == "fparse":
            return self._fparse(" ".join(arguments), one)
        if command == "units":
            return _units(arguments)
        if command == "enumerate":
            return _enumerate(arguments)
        raise _Unresolvable(f"invalid brace-expression command '{command}' in '{one.path}'")

    def _replace(self, name: str, one: Field) -> str:
        found = _looked_up(name, one)
        if found is None:
            known = {other.name for section in _outward(one) for other in section.fields if other is not one}
            complaint = f"no variable '{name}' found for substitution expression in '{one.path}'"
            raise _Unresolvable(complaint + suggestion(name, known))
        found.used = True
        return self._text(found)

    def _fparse(self, text: str, one: Field) -> str:
        try:
            expression = expressions.parse(text)
            values = {name: self._number(name, one) for name in sorted(expression.names)}
            value = expression.evaluate_number(values)
        except expressions.InvalidExpression as error:
            raise _Unresolvable(f"fparse error: {error}") from error
        return f"{value:.17g}"

    def _number(self, name: str, one: Field) -> float:
        found = _looked_up(name, one)
        if found is None:
            raise _Unresolvable(f"no variable '{name}' found for use in function parser expression")
        found.used = True
        text = self._text(found)
        try:
            return float(text)
        except ValueError:
            complaint = f"fparse error: the value '{text}' of '{found.path}' is no number"
            raise _Unresolvable(complaint) from None


def _outward(one: Field) -> Iterator[Section]:
    """Yield the section of a field, the one around it, up to the root."""
    section = one.parent
    while section is not None:
        yield section
        section = section.parent


def _looked_up(path: str, one: Field) -> Field | None:
    for section in _outward(one):
        found = section.field(path)
        if found is not None and found is not one:
            return found
    return None


def _units(arguments: list[str]) -> str:
    if len(arguments) == 2:
        return arguments[0]
    if len(arguments) != 4 or arguments[2] != "->":
        wanted = "Expected 4 arguments ('${units number from_unit -> to_unit}') or 2 arguments ('${units number unit}')"
        raise _Unresolvable(f"units error: {wanted}")
    try:
        return f"{units.convert(arguments[0], arguments[1], arguments[3]):.17g}"
    except InvalidRequest as error:
        raise _Unresolvable(f"units error: {error}") from error


def _enumerate(arguments: list[str]) -> str:
    if len(arguments) == 3:
        prefix, first, last = arguments
        for word in (first, last):
            if not re.fullmatch(r"\d{1,9}", word):
                raise _Unresolvable(f"enumerate error: '{word}' is not a non-negative integer")
    elif len(arguments) == 2:
        prefix, first, last = _split_range(*arguments)
    else:
        raise _Unresolvable("enumerate error: Expected 2 arguments (first and last name) or 3 (prefix, first, last)")
    if int(last) < int(first):
        raise _Unresolvable(f"enumerate error: the last index {last} is smaller than first index {first}")
    if int(last) - int(first) >= 100_000:
        raise _Unresolvable(f"enumerate error: more than 100000 names from {first} to {last}")
    return " ".join(f"{prefix}{number}" for number in range(int(first), int(last) + 1))


def _split_range(first: str, last: str) -> tuple[str, str, str]:
    matches = [re.fullmatch(r"(.*?)(\d{1,9})", word, re.DOTALL) for word in (first, last)]
    for word, match in zip((first, last), matches, strict=True):
        if match is None:
            raise _Unresolvable(f"enumerate error: '{word}' does not end in an integer")
    (prefix, start), (other, end) = (match.groups() for match in matches if match is not None)
    if prefix != other:
        raise _Unresolvable(f"enumerate error: the prefixes '{prefix}' and '{other}' do not match")
    return prefix, start, end


def _parsed(one: Field) -> _Template:
    template, _ = _parse_template(one.text, 0, 0, one.path)
    return template


def _parse_template(text: str, at: int, depth: int, path: str) -> tuple[_Template, int]:
    """Read glued parts: to the end of the text, or within braces (depth > 0) to white space or the closing brace."""
    parts: list[str | _Braces] = []
    while at < len(text) and not (depth and text[at] in _SPACE + "}"):
        if text.startswith("${", at):
            braces, at = _parse_braces(text, at + 2, depth + 1, path)
            parts.append(braces)
            continue
        end = at + 1
        while end < len(text) and not text.startswith("${", end) and not (depth and text[end] in _SPACE + "}"):
            end += 1
        parts.append(text[at:end])
        at = end
    return tuple(parts), at


def _parse_braces(text: str, at: int, depth: int, path: str) -> tuple[_Braces, int]:
    arguments: list[_Template] = []
    while True:
        while at < len(text) and text[at] in _SPACE:
            at += 1
        if at == len(text):
            _syntax_error(path, "missing closing '}' in brace expression")
        if text[at] == "}":
            return _Braces(tuple(arguments)), at + 1
        if depth > _DEEPEST:
            _syntax_error(path, f"more than {_DEEPEST} expressions within each other")
        argument, at = _parse_template(text, at, depth, path)
        arguments.append(argument)


def _syntax_error(path: str, what: str) -> NoReturn:
    raise _Unresolvable(f"invalid brace-expression syntax in '{path}': {what}")
