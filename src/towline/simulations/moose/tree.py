"""The tree of an input: sections and fields, with comments and empty lines where they stood.

A tree is what a reader makes of a file, and what a writer of cases builds::

    tree = Section()
    mesh = tree.add_section("Mesh")
    mesh.add("type", "GeneratedMesh").add("dim", 2).add("nx", 40)
    print(render(tree))

Nodes change only while they are built; who wants another tree copies it (:meth:`Section.copy`).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from towline.errors import InvalidRequest
from towline.simulations.moose.lexer import normal_path
from towline.simulations.moose.problems import InvalidInputFile, Position, Problem
from towline.simulations.moose.quoting import Value, quoted, value_text

TRUE_WORDS = ("true", "on", "yes")
FALSE_WORDS = ("false", "off", "no")

_NAME = re.compile(r"[A-Za-z0-9_./:<>+*!-]+")
_INTEGER = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)


@dataclass(slots=True)
class Comment:
    """A comment, with its ``#``."""

    text: str
    #: Whether it stands behind something else on its line.
    trailing: bool = False
    position: Position = field(default_factory=Position, compare=False)

    def copy(self) -> "Comment":
        """Return a comment that is the same."""
        return Comment(self.text, self.trailing, self.position)


@dataclass(slots=True)
class Blank:
    """An empty line."""

    def copy(self) -> "Blank":
        """Return an empty line."""
        return Blank()


@dataclass(slots=True)
class Include:
    """``!include``: the name of a file whose content belongs here."""

    file: str
    raw: str
    position: Position = field(default_factory=Position, compare=False)

    def copy(self) -> "Include":
        """Return an include of the same file."""
        return Include(self.file, self.raw, self.position)


@dataclass(slots=True)
class Field:
    """A name with its value."""

    name: str
    #: The value without its quotes.
    text: str
    #: The value as it is written in the file.
    raw: str
    #: ``:=`` instead of ``=``: this value wins.
    override: bool = False
    position: Position = field(default_factory=Position, compare=False)
    parent: "Section | None" = field(default=None, compare=False, repr=False)
    #: Whether a brace expression looked at it; such a field needs nobody else that reads it.
    used: bool = field(default=False, compare=False)

    @property
    def path(self) -> str:
        """``Section/subsection/name``."""
        above = self.parent.path if self.parent is not None else ""
        return f"{above}/{self.name}" if above else self.name

    @property
    def line(self) -> int:
        """Line of the file, from 1; 0 if the field was made in Python."""
        return self.position.line

    def copy(self) -> "Field":
        """Return a field that is the same and belongs to no section."""
        return Field(self.name, self.text, self.raw, self.override, self.position, None, self.used)

    def as_float(self) -> float:
        """Return the value as a number.

        Raises
        ------
        InvalidInputFile
            It is none.
        """
        return self._float(self.text.strip())

    def as_int(self) -> int:
        """Return the value as an integer; ``1e3`` is one, as for MOOSE.

        Raises
        ------
        InvalidInputFile
            It is none.
        """
        return self._int(self.text.strip())

    def as_bool(self) -> bool:
        """Return the value as true or false; an integer is true unless it is 0.

        Raises
        ------
        InvalidInputFile
            It is neither.
        """
        word = self.text.strip().lower()
        if word in TRUE_WORDS or word in FALSE_WORDS:
            return word in TRUE_WORDS
        if not _INTEGER.fullmatch(word):
            raise self._cannot_convert(self.text, "bool")
        return int(word) != 0

    def as_strings(self) -> tuple[str, ...]:
        """Return the words of the value."""
        return tuple(self.text.split())

    def as_vector(self) -> tuple[float, ...]:
        """Return the numbers of the value; a comma after an item is accepted, as MOOSE does.

        Raises
        ------
        InvalidInputFile
            One of them is no number.
        """
        return tuple(self._float(word) for word in self.text.replace(",", " ").split())

    def as_integers(self) -> tuple[int, ...]:
        """Return the integers of the value.

        Raises
        ------
        InvalidInputFile
            One of them is no integer.
        """
        return tuple(self._int(word) for word in self.text.replace(",", " ").split())

    def _float(self, word: str) -> float:
        if not _FLOAT.fullmatch(word):
            raise self._cannot_convert(word, "float")
        return float(word)

    def _int(self, word: str) -> int:
        if _INTEGER.fullmatch(word):
            return int(word)
        if not _FLOAT.fullmatch(word) or not float(word).is_integer():
            raise self._cannot_convert(word, "integer")
        return int(float(word))

    def _cannot_convert(self, word: str, kind: str) -> InvalidInputFile:
        return Problem(f"cannot convert field '{self.path}' value '{word}' to {kind}", self.position).error()


@dataclass(slots=True)
class Section:
    """A named part of an input; the root has no name."""

    name: str = ""
    children: "list[Node]" = field(default_factory=list)
    position: Position = field(default_factory=Position, compare=False)
    parent: "Section | None" = field(default=None, compare=False, repr=False)
    #: The fields and sections of each name, in their order: inputs may have thousands of them. None until asked for.
    _named: "dict[str, list[Field | Section]] | None" = field(default=None, init=False, compare=False, repr=False)

    @property
    def path(self) -> str:
        """``Section/subsection``; empty for the root."""
        above = self.parent.path if self.parent is not None else ""
        return f"{above}/{self.name}" if above else self.name

    @property
    def line(self) -> int:
        """Line of the file, from 1; 0 if the section was made in Python."""
        return self.position.line

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that stand directly here."""
        return tuple(child for child in self.children if isinstance(child, Field))

    @property
    def all_sections(self) -> "tuple[Section, ...]":
        """The sections that stand directly here, also those that are not active."""
        return tuple(child for child in self.children if isinstance(child, Section))

    @property
    def sections(self) -> "tuple[Section, ...]":
        """The active sections that stand directly here."""
        activates = self._activation()
        return tuple(section for section in self.all_sections if activates(section.name))

    def activates(self, name: str) -> bool:
        """Return whether ``active`` and ``inactive`` leave a child active."""
        return self._activation()(name)

    def _activation(self) -> "Callable[[str], bool]":
        active, inactive = self.own_field("active"), self.own_field("inactive")
        if active is not None and active.as_strings() != ("__all__",):
            return frozenset(active.as_strings()).__contains__
        excluded = frozenset(inactive.as_strings() if inactive is not None else ())
        return lambda name: name not in excluded

    def _children_named(self, name: str) -> "list[Field | Section]":
        if self._named is None:
            self._named = {}
            for child in self.children:
                if isinstance(child, Field | Section):
                    self._named.setdefault(child.name, []).append(child)
        return self._named.get(name, [])

    def own_sections(self, name: str) -> "tuple[Section, ...]":
        """Return the sections of this name that stand directly here, active or not."""
        return tuple(child for child in self._children_named(name) if isinstance(child, Section))

    def walk(self) -> "Iterator[Section]":
        """Yield this section and all active ones below it, in their order."""
        yield self
        for section in self.sections:
            yield from section.walk()

    def walk_all(self) -> "Iterator[Section]":
        """Yield this section and all below it, active or not."""
        yield self
        for section in self.all_sections:
            yield from section.walk_all()

    def own_field(self, name: str) -> Field | None:
        """Return the field of this name that stands directly here (the one with ``:=`` if there are several)."""
        found = [child for child in self._children_named(name) if isinstance(child, Field)]
        return next((one for one in found if one.override), found[0] if found else None)

    def field(self, path: str) -> Field | None:
        """Return a field by its path below this section, also in sections that are not active; or None."""
        parts = normal_path(path)
        direct = self.own_field(parts)
        if direct is not None:
            return direct
        for name, rest in _splits(parts):
            for section in self.own_sections(name):
                if rest and (found := section.field(rest)):
                    return found
        return None

    def section(self, path: str) -> "Section | None":
        """Return an active section by its path below this one; None if there is none."""
        parts = normal_path(path)
        if not parts:
            return self
        for name, rest in _splits(parts):
            for section in self.own_sections(name) if self.activates(name) else ():
                if (found := section.section(rest)) is not None:
                    return found
        return None

    def text(self, path: str, default: str = "") -> str:
        """Return the text of a field, or the default."""
        found = self.field(path)
        return default if found is None else found.text

    @property
    def type(self) -> str:
        """The text of the field ``type``; empty without one."""
        return self.text("type")

    def append(self, node: "Node") -> "Section":
        """Put a node at the end of this section; returns this section."""
        if isinstance(node, Field | Section):
            node.parent = self
            if self._named is not None:
                self._named.setdefault(node.name, []).append(node)
        self.children.append(node)
        return self

    def replace(self, old: "Node", new: "Node") -> None:
        """Put a node in the place of another one."""
        index = next(index for index, child in enumerate(self.children) if child is old)
        if isinstance(new, Field | Section):
            new.parent = self
        self.children[index] = new
        self._named = None

    def remove(self, node: "Node") -> None:
        """Take a node out."""
        self.children = [child for child in self.children if child is not node]
        self._named = None

    def rename(self, node: "Field", name: str) -> None:
        """Give a field of this section another name."""
        node.name = name
        self._named = None

    def take_children(self) -> "list[Node]":
        """Return all that stands directly here, and leave this section empty."""
        taken, self.children, self._named = self.children, [], None
        return taken

    def add(self, name: str, value: Value, comment: str = "") -> "Section":
        """Append a field; returns this section.

        Parameters
        ----------
        value
            Sequences become words, booleans ``true`` and ``false``; numbers keep all their digits.
        comment
            Stands behind it.

        Raises
        ------
        InvalidRequest
            The name cannot be one, or the value cannot be written between quotes.
        """
        if not _NAME.fullmatch(name) or normal_path(name) != name or name == "!include":
            raise InvalidRequest(
                f"{name!r} cannot be the name of a field: letters, digits and _ . / : < > + * ! - can."
            )
        text = value_text(value)
        self.append(Field(name, text, quoted(text)))
        if comment:
            self.append(Comment(f"# {comment}", trailing=True))
        return self

    def add_section(self, name: str) -> "Section":
        """Append a section and return it.

        Raises
        ------
        InvalidRequest
            The name cannot be one.
        """
        if not _NAME.fullmatch(name) or normal_path(name) != name or ".." in name.split("/"):
            raise InvalidRequest(f"{name!r} cannot be the name of a section: letters, digits and _ . / : - can.")
        section = Section(name)
        self.append(section)
        return section

    def add_comment(self, text: str) -> "Section":
        """Append lines of comment; returns this section."""
        for line in text.split("\n"):
            self.append(Comment(f"# {line}".rstrip()))
        return self

    def add_blank(self) -> "Section":
        """Append an empty line; returns this section."""
        return self.append(Blank())

    def copy(self) -> "Section":
        """Return a section that is the same, down to its last node, and belongs to no other."""
        new = Section(self.name, [], self.position)
        for child in self.children:
            new.append(child.copy())
        return new


Node = Section | Field | Comment | Blank | Include


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to cut a path in two; names of sections may hold slashes before a tree is resolved."""
    at = path.find("/")
    while at >= 0:
        yield path[:at], path[at + 1 :]
        at = path.find("/", at + 1)
    yield path, ""


def render(section: Section) -> str:
    """Write a tree (or the content of a section) as text: two spaces per level, ``[name]`` and ``[]``, comments kept.

    Reading the text again gives the same tree.
    """
    lines: list[str] = []
    _render_children(section, "", lines)
    return "\n".join(lines) + "\n" if lines else ""


def _render_children(section: Section, indent: str, lines: list[str]) -> None:
    for child in section.children:
        if isinstance(child, Comment):
            if child.trailing and lines:
                lines[-1] += f" {child.text}"
            else:
                lines.append(indent + child.text)
        elif isinstance(child, Field):
            lines.append(f"{indent}{child.name} {':=' if child.override else '='} {child.raw}")
        elif isinstance(child, Include):
            lines.append(f"{indent}!include {child.raw}")
        elif isinstance(child, Section):
            lines.append(f"{indent}[{child.name}]")
            _render_children(child, indent + "  ", lines)
            lines.append(f"{indent}[]")
        else:
            lines.append("")
