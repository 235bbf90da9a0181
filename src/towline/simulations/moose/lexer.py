"""The tokens of an input file.

HIT, the format of MOOSE's inputs, is a sequence of comments, fields, sections and includes; white space only separates.
What a value is depends on the ``=`` before it, so tokens are made with that in mind.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from towline.simulations.moose.problems import Position, Problem

_SPACE = re.compile(r"[ \t\r\n]*")
_SPACE_AND_COMMENTS = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_COMMENT = re.compile(r"#[^\n]*")
_LINE_SPACE = re.compile(r"[ \t]*")
#: A colon that begins ``:=`` belongs to the operator.
_NAME = re.compile(r"(?:[A-Za-z0-9_./<>+*!-]|:(?!=))+")
_PATH = re.compile(r"[A-Za-z0-9_./<>+*!:-]*")
_HEADER = re.compile(r"\[([^\]\n\[#]*)\]")
_LITERALS = {"'": re.compile(r"'(?:\\'|[^'])*'"), '"': re.compile(r'"(?:\\"|[^"])*"')}
_FILE_NAME = re.compile(r"[^\s#'\"]+")
_BRACE = re.compile(r"\$\{|\}")


class Kind(Enum):
    """What a token is."""

    #: A section begins; text is its path.
    OPEN = auto()
    #: A section ends.
    CLOSE = auto()
    NAME = auto()
    #: ``=`` or ``:=``.
    ASSIGN = auto()
    #: text is the value, raw how it was written.
    VALUE = auto()
    #: text begins with ``#``.
    COMMENT = auto()
    #: An empty line.
    BLANK = auto()
    #: text is the name of the file.
    INCLUDE = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One word of an input."""

    kind: Kind
    text: str
    position: Position
    raw: str = ""
    #: Whether it stands on the line where the token before it ended.
    same_line: bool = False


def normal_path(path: str) -> str:
    """Return a path without ``./`` and repeated ``/``."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def unquote(literal: str) -> str:
    """Return the text of a literal with its quotes."""
    quote = literal[0]
    return literal[1:-1].replace("\\" + quote, quote)


class Lexer:
    """Reads the tokens of one text; what is wrong is collected in `problems`."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._line = 0
        self.problems: list[Problem] = []

    def tokens(self) -> Iterator[Token]:
        """Yield the tokens; the last one is END."""
        after_assign = False
        while True:
            start = self._at
            self._at = _matched_end(_SPACE, self._text, start)
            newlines = self._text.count("\n", start, self._at)
            same_line = newlines == 0 and start > 0
            if not after_assign:
                # The line break that ends the line of the token before is none that leaves a line empty.
                for _ in range(newlines - (1 if start > 0 else 0)):
                    yield Token(Kind.BLANK, "", self._position(start))
            if self._at == len(self._text):
                yield Token(Kind.END, "end of file", self._position(self._at))
                return
            token = self._value() if after_assign else self._word(same_line)
            if token is not None:
                yield token
                after_assign = token.kind is Kind.ASSIGN or (after_assign and token.kind is Kind.COMMENT)

    def _position(self, at: int) -> Position:
        # Tokens are asked for in their order: the line is found by going on, not by searching from the beginning.
        while self._line + 1 < len(self._line_starts) and self._line_starts[self._line + 1] <= at:
            self._line += 1
        while self._line_starts[self._line] > at:
            self._line -= 1
        return Position(self._name, self._line + 1, at - self._line_starts[self._line] + 1)

    def _problem(self, text: str, at: int) -> None:
        self.problems.append(Problem(text, self._position(at)))

    def _word(self, same_line: bool) -> Token | None:
        """Read one token that is no value, or skip what cannot be one."""
        start = self._at
        position = self._position(start)
        letter = self._text[start]
        if letter == "#":
            return self._comment(same_line)
        if letter == "[":
            return self._header(position)
        if letter == "=" or self._text.startswith(":=", start):
            self._at += 1 if letter == "=" else 2
            return Token(Kind.ASSIGN, self._text[start : self._at], position)
        match = _NAME.match(self._text, start)
        if match is None:
            self._at += 1
            if letter in _LITERALS:
                self._skip_literal(letter)
            self._problem(f"invalid character '{letter}'", start)
            return None
        self._at = match.end()
        if match[0] == "!include":
            return self._include(position)
        return Token(Kind.NAME, match[0], position)

    def _skip_literal(self, quote: str) -> None:
        match = _LITERALS[quote].match(self._text, self._at - 1)
        if match is not None:
            self._at = match.end()

    def _comment(self, same_line: bool) -> Token:
        start = self._at
        self._at = _matched_end(_COMMENT, self._text, start)
        text = self._text[start : self._at].rstrip(" \t\r")
        return Token(Kind.COMMENT, text, self._position(start), same_line=same_line)

    def _header(self, position: Position) -> Token | None:
        start = self._at
        match = _HEADER.match(self._text, start)
        if match is None:
            end = self._text.find("\n", start)
            self._at = len(self._text) if end < 0 else end
            self._problem("missing closing ']' of a section path", start)
            return None
        self._at = match.end()
        path = match[1]
        if path in ("", "../"):
            return Token(Kind.CLOSE, match[0], position)
        if not _PATH.fullmatch(path):
            spaces = any(space in path for space in " \t\r")
            complaint = "spaces are not allowed in section paths" if spaces else "invalid section path character"
            self._problem(f"{complaint}: '[{path}]'", start)
            path = re.sub(r"[^A-Za-z0-9_./<>+*!:-]", "", path)
        elif ".." in path.split("/") or not normal_path(path):
            self._problem(f"invalid section path '[{path}]'", start)
        return Token(Kind.OPEN, normal_path(path), position)

    def _include(self, position: Position) -> Token | None:
        self._at = _matched_end(_LINE_SPACE, self._text, self._at)
        start = self._at
        quoted = _LITERALS.get(self._text[start : start + 1])
        match = (quoted or _FILE_NAME).match(self._text, start)
        if match is None:
            self._problem("!include needs the name of a file after it", start)
            return None
        self._at = match.end()
        return Token(Kind.INCLUDE, unquote(match[0]) if quoted else match[0], position, raw=match[0])

    def _value(self) -> Token:
        """Read what follows an ``=``; an empty text says that there was no value."""
        start = self._at
        letter = self._text[start]
        if letter == "#":
            return self._comment(same_line=False)
        position = self._position(start)
        if letter in _LITERALS:
            text = self._literals(start)
        else:
            self._at = self._end_of_unquoted(start)
            text = self._text[start : self._at]
        return Token(Kind.VALUE, text, position, raw=self._text[start : self._at])

    def _literals(self, start: int) -> str:
        """Read literals that only white space and comments separate: together they are one text."""
        parts = []
        following = start
        while (quote := self._text[following : following + 1]) in _LITERALS:
            match = _LITERALS[quote].match(self._text, following)
            if match is None:
                self._problem("unterminated string", following)
                self._at = len(self._text)
                break
            parts.append(unquote(match[0]))
            self._at = match.end()
            following = _matched_end(_SPACE_AND_COMMENTS, self._text, self._at)
        return "".join(parts)

    def _end_of_unquoted(self, start: int) -> int:
        """Return where a value without quotes ends; inside ``${…}`` white space does not end it."""
        at = start
        while at < len(self._text) and self._text[at] not in " \t\r\n[#":
            if self._text.startswith("${", at):
                end = end_of_braces(self._text, at)
                if end is None:  # braces that nobody closes end with their line, and are complained about later
                    line_end = self._text.find("\n", at)
                    line = self._text[at:] if line_end < 0 else self._text[at:line_end]
                    return at + len(line.rstrip(" \t\r\n"))
                at = end
            else:
                at += 1
        return at


def end_of_braces(text: str, start: int) -> int | None:
    """Return where the braces end that begin at `start`, or None."""
    depth = 0
    for match in _BRACE.finditer(text, start):
        depth += -1 if match[0] == "}" else 1
        if depth == 0:
            return match.end()
    return None


def _matched_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return at if match is None else match.end()
