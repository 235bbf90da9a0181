"""Reading input files: from text to a tree, and from files and command line to the tree that is run."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from towline.simulations.moose import braces, merging
from towline.simulations.moose.lexer import Kind, Lexer, Token, normal_path
from towline.simulations.moose.problems import COMMAND_LINE, ERROR, InvalidInputFile, Position, Problem, raise_errors
from towline.simulations.moose.quoting import quoted
from towline.simulations.moose.tree import Blank, Comment, Field, Include, Section, render

#: Returns the text of a file; the tests of callers may give another one.
ReadText = Callable[[Path], str]

#: Sections within each other; nobody writes more than five.
_DEEPEST = 100
_BLANK_VALUE = "did you leave a field value blank after a previous '='?"


@dataclass(frozen=True)
class InputFile:
    """An input as it is written, with what is wrong about its syntax."""

    name: str
    root: Section
    problems: tuple[Problem, ...] = ()

    def render(self) -> str:
        """Write it again: comments and values stay, indentation and brackets become regular."""
        return render(self.root)


@dataclass(frozen=True)
class ResolvedInput:
    """The tree that is run: includes, overrides and braces are carried out, `problems` is what that brought up."""

    tree: Section
    #: Name of the last input without its extension: how the outputs begin.
    stem: str
    #: Folder of the last input: what relative names in it refer to.
    folder: Path
    problems: tuple[Problem, ...] = field(default=())

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that forbid to run it."""
        return tuple(problem for problem in self.problems if problem.severity == ERROR)


def parse(text: str, name: str = "input.i") -> InputFile:
    """Read the tree of a text.

    Parameters
    ----------
    name
        What the places of problems begin with.

    Returns
    -------
    InputFile
        The tree as it is written, with `problems`; reading goes on behind what is wrong, so that all of it is told.
    """
    return _Parser(text.replace("\r\n", "\n"), name).parse()


def read(
    paths: Sequence[Path],
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    read_text: ReadText | None = None,
) -> ResolvedInput:
    """Read input files and what the command line says about them into the tree that is run.

    Parameters
    ----------
    paths
        Later files win over earlier ones.
    overrides
        ``Block/sub/parameter=value``, as on MOOSE's command line.
    environment
        For ``${env …}``; default is that of this process.

    Raises
    ------
    InvalidInputFile
        A file cannot be read, or has a mistake of syntax. What resolving brings up is in `problems` of the result.
    """
    trees, problems = [], []
    for path in paths:
        tree, found = merging.expand_file(path, parse_file(read_text or _read_text))
        problems += found
        raise_errors(found)
        trees.append(tree)
    last = paths[-1]
    return resolve(trees, overrides, environment, last.stem, last.parent, tuple(problems))


def resolve(
    trees: Sequence[Section],
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    stem: str = "input",
    folder: Path = Path(),
    problems: tuple[Problem, ...] = (),
) -> ResolvedInput:
    """Merge trees (without includes) and what the command line says, and carry out the brace expressions."""
    tree, found = merging.merge_all([merging.normalised(tree) for tree in trees])
    for number, override in enumerate(overrides, start=1):
        found += merging.apply_override(tree, *_parsed_override(override, number))
    found += merging.check_activation(tree)
    found += braces.expand(tree, os.environ if environment is None else environment)
    return ResolvedInput(tree, stem, folder, (*problems, *found))


def parse_file(read_text: ReadText) -> Callable[[Path], InputFile]:
    """Return a function that parses the file of a path."""

    def parse_path(path: Path) -> InputFile:
        try:
            text = read_text(path)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise Problem(f'Unable to open file "{path}": {reason}').error() from error
        return parse(text, str(path))

    return parse_path


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _parsed_override(argument: str, number: int) -> tuple[str, Field | None]:
    """Read one ``path=value``; the shell may have eaten the quotes of the value."""
    path, separator, value = argument.partition("=")
    operator = ":=" if path.endswith(":") else "="
    path = path.removesuffix(":")
    stripped = path.lstrip(":") if path.startswith(":") else path
    for raw in (value, quoted(value)) if separator else ():
        root = parse(f"{stripped} {operator} {raw}", COMMAND_LINE)
        if not root.problems and len(root.root.children) == 1 and isinstance(found := root.root.children[0], Field):
            found.position = Position(COMMAND_LINE, number, 1)
            return argument, found
    return argument, None


class _Parser:
    """Builds the tree from the tokens; goes on behind mistakes."""

    def __init__(self, text: str, name: str) -> None:
        self._lexer = Lexer(text, name)
        self._tokens = self._lexer.tokens()
        self._name = name
        self._here = Section(position=Position(name, 1, 1))
        self._root = self._here
        self._depth = 0
        self._problems = self._lexer.problems

    def parse(self) -> InputFile:
        for token in self._tokens:
            following: Token | None = token
            while following is not None and following.kind is Kind.NAME:
                following = self._field(following)
            if following is not None:
                self._node(following)
        self._problems.sort(key=lambda problem: (problem.position.line, problem.position.column))  # type: ignore[union-attr]
        return InputFile(self._name, self._root, tuple(self._problems))

    def _node(self, token: Token) -> None:
        if token.kind is Kind.OPEN:
            self._open(token)
        elif token.kind is Kind.CLOSE:
            self._close(token)
        elif token.kind is Kind.COMMENT:
            self._here.append(Comment(token.text, token.same_line, token.position))
        elif token.kind is Kind.BLANK:
            self._here.append(Blank())
        elif token.kind is Kind.INCLUDE:
            self._here.append(Include(token.text, token.raw, token.position))
        elif token.kind is Kind.END:
            self._end(token)
        else:
            self._complain(f"syntax error, unexpected '{token.text}'; {_BLANK_VALUE}", token)

    def _open(self, token: Token) -> None:
        self._depth += 1
        if self._depth == _DEEPEST:
            self._complain(f"sections are nested deeper than {_DEEPEST}", token)
        if self._depth < _DEEPEST:
            section = Section(token.text, [], token.position)
            self._here.append(section)
            self._here = section

    def _field(self, name: Token) -> Token | None:
        """Read what belongs to a name; returns the token that did not."""
        comments: list[Token] = []
        assign = self._next(comments)
        if assign.kind is not Kind.ASSIGN:
            got = "[" if assign.kind is Kind.OPEN else assign.text
            self._complain(f"expected '=' after parameter name '{name.text}', got '{got}'", name)
            self._hoist(comments)
            return assign
        value = self._next(comments)
        self._hoist(comments)
        path = normal_path(name.text)
        if value.kind is not Kind.VALUE or not value.raw:
            self._complain(f"missing value of parameter '{name.text}'; {_BLANK_VALUE}", name)
            return None if value.kind is Kind.VALUE else value
        if not path:
            self._complain(f"invalid parameter name '{name.text}'", name)
            return None
        self._here.append(Field(path, value.text, value.raw, assign.text == ":=", name.position))
        return None

    def _next(self, comments: list[Token]) -> Token:
        """Return the next token that means something; comments on the way are kept for later."""
        for token in self._tokens:
            if token.kind is Kind.COMMENT:
                comments.append(token)
            elif token.kind is not Kind.BLANK:
                return token
        return Token(Kind.END, "end of file", Position(self._name))

    def _hoist(self, comments: list[Token]) -> None:
        """Comments between a name and its value are written before it."""
        for comment in comments:
            self._here.append(Comment(comment.text, False, comment.position))

    def _close(self, token: Token) -> None:
        if self._here.parent is None:
            self._complain(f"syntax error, unexpected '{token.text}': no section is open", token)
            return
        if self._depth < _DEEPEST:
            self._here = self._here.parent
        self._depth -= 1

    def _end(self, token: Token) -> None:
        while self._here.parent is not None:
            complaint = f"syntax error, unexpected end of file: missing closing '[]' for section '{self._here.path}'"
            self._problems.append(Problem(complaint, self._here.position))
            self._here = self._here.parent

    def _complain(self, text: str, token: Token) -> None:
        self._problems.append(Problem(text, token.position))


__all__ = ["InputFile", "InvalidInputFile", "ResolvedInput", "parse", "read", "render", "resolve"]
