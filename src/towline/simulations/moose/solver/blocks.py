"""Typed access to the parameters of a block, with GlobalParams behind them, and a record of what was read.

Whatever is read is marked as used in the tree. What nobody has used when the problem is built would be lost without a
word; `refuse_unused` refuses it. What may be in an input and makes no difference here is idle in the registry.
"""

from collections.abc import Callable
from typing import TypeVar

from towline.simulations.moose.problems import InvalidInputFile, Problem, raise_errors
from towline.simulations.moose.tree import Field, Section

T = TypeVar("T")

#: Fields that say what a section is, and which of its sections are active.
_STRUCTURE = ("type", "active", "inactive")


class Block:
    """A section of the input that describes one object.

    Parameters
    ----------
    section
        The section, braces and overrides carried out.
    shared
        The section GlobalParams, or None.
    """

    def __init__(self, section: Section, shared: Section | None = None) -> None:
        self.section = section
        self.shared = shared

    @property
    def name(self) -> str:
        return self.section.name.rsplit("/", 1)[-1]

    @property
    def type(self) -> str:
        return self.section.type

    @property
    def children(self) -> tuple["Block", ...]:
        """The active sections directly below."""
        return tuple(Block(section, self.shared) for section in self.section.sections)

    def has(self, *names: str) -> bool:
        """Return whether the block, or GlobalParams, has one of these parameters."""
        return self._field(names) is not None

    def _field(self, names: tuple[str, ...]) -> Field | None:
        for place in (self.section, self.shared):
            for name in names:
                if place is not None and (found := place.own_field(name)) is not None:
                    found.used = True
                    return found
        return None

    def _value(self, names: tuple[str, ...], default: T | None, convert: Callable[[Field], T]) -> T:
        field = self._field(names)
        if field is not None:
            return convert(field)
        if default is None:
            raise self.refused(f"missing required parameter '{self.section.path}/{names[0]}'")
        return default

    def text(self, *names: str, default: str | None = None) -> str:
        """Return a text; further names are older spellings. Without a default the parameter is required."""
        return self._value(names, default, lambda field: field.text.strip())

    def number(self, *names: str, default: float | None = None) -> float:
        """Return a number."""
        return self._value(names, default, Field.as_float)

    def integer(self, *names: str, default: int | None = None) -> int:
        """Return an integer."""
        return self._value(names, default, Field.as_int)

    def flag(self, *names: str, default: bool | None = None) -> bool:
        """Return true or false."""
        return self._value(names, default, Field.as_bool)

    def words(self, *names: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return words."""
        return self._value(names, default, Field.as_strings)

    def numbers(self, *names: str, default: tuple[float, ...] | None = None) -> tuple[float, ...]:
        """Return numbers."""
        return self._value(names, default, Field.as_vector)

    def choice(self, *names: str, options: tuple[str, ...], default: str | None = None) -> str:
        """Return one of the options, whatever the case of its letters."""
        field = self._field(names)
        text = self.text(*names, default=default)
        for option in options:
            if text.lower() == option.lower():
                return option
        shown = ", ".join(options)
        problem = f'Invalid option "{text}" in MooseEnum. Valid options (not case-sensitive) are "{shown}".'
        raise Problem(problem, field.position if field else self.section.position).error()

    def refused(self, text: str, *names: str) -> InvalidInputFile:
        """Return an error at the place of a parameter, or of the block."""
        field = self._field(names) if names else None
        return Problem(text, field.position if field is not None else self.section.position).error()

    def unsupported(self) -> InvalidInputFile:
        """Return the error for an object type that the embedded solver does not have."""
        return self.refused(
            f"A '{self.type}' is not a registered object of towline's embedded solver. "
            "Use a supported one, or run this input with MOOSE itself (MOOSE_EXEC)"
        )

    def pass_over(self, *names: str) -> None:
        """Count parameters as read that another parameter of the block makes meaningless."""
        for name in names:
            if (found := self.section.own_field(name)) is not None:
                found.used = True


def refuse_unused(tree: Section) -> None:
    """Refuse what nobody has read: the result would silently be another one than the input says.

    Raises
    ------
    InvalidInputFile
        A parameter of an object was not used.
    """
    raise_errors(
        [
            Problem(f"unused parameter '{one.path}': the embedded solver does not support it", one.position)
            for section in tree.walk()
            if section.parent is not None and section.path != "GlobalParams"
            for one in section.fields
            if not one.used and one.name not in _STRUCTURE
        ]
    )
