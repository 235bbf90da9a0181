"""The objects of MOOSE that towline knows, and their parameters; they stand in ``registry.txt``.

A registry is a value: one made from what a real executable says of itself can take its place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources

#: How far towline goes along with an object or a parameter.
SUPPORTED, IDLE, IGNORED, REFUSED = "supported", "idle", "ignored", "refused"

_HEADER = re.compile(r"(?:(ignored|refused) )?(\w+)/(\w+|\*)(?: \(([\w ]+)\))?(?: < (\w+)/(\w+|\*))?")
_PARAMETER = re.compile(
    r"  (?:(?P<support>idle|ignored|refused) )?(?P<name>\w+)(?: \((?P<old>[\w ]+)\))?: (?P<kind>\w+)"
    r"(?: \{(?P<range>[^}]*)\})?(?: \[(?P<options>[^\]]*)\])?(?P<required> !)?"
    r"(?: = (?P<default>.*?))?(?:  # (?P<remark>.*))?"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an object."""

    name: str
    #: ``float``, ``enum``, ``variable``, …: see the head of ``registry.txt``.
    kind: str
    #: As it would be written; None if there is none.
    default: str | None = None
    required: bool = False
    #: Allowed values, such as ``> 0`` or ``1..3``; empty for all.
    range: str = ""
    #: What an enum may be, in the spelling of MOOSE.
    options: tuple[str, ...] = ()
    #: Options that MOOSE has and the embedded solver has not.
    refused_options: tuple[str, ...] = ()
    #: Deprecated names.
    old_names: tuple[str, ...] = ()
    support: str = SUPPORTED
    #: Unit, or what it is.
    remark: str = ""


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A type of object."""

    system: str
    name: str
    parameters: Mapping[str, Parameter]
    support: str = SUPPORTED
    old_names: tuple[str, ...] = ()

    def parameter(self, name: str) -> Parameter | None:
        """Return a parameter by its name or one of its old names; None if there is none."""
        found = self.parameters.get(name)
        return found or next((one for one in self.parameters.values() if name in one.old_names), None)


@dataclass(frozen=True, slots=True)
class Registry:
    """All object types, by system and name."""

    types: Mapping[tuple[str, str], ObjectType] = field(default_factory=dict)

    def find(self, system: str, name: str) -> ObjectType | None:
        """Return a type by its name or one of its old names; None if there is none."""
        found = self.types.get((system, name))
        return found or next((one for one in self.of_system(system) if name in one.old_names), None)

    def of_system(self, system: str) -> tuple[ObjectType, ...]:
        """Return all types of a system."""
        return tuple(one for one in self.types.values() if one.system == system)

    def systems_with(self, name: str) -> tuple[str, ...]:
        """Return the systems that have a type of this name."""
        return tuple(one.system for one in self.types.values() if one.name == name)

    def declares(self, parameter: str) -> bool:
        """Return whether any type has a parameter of this name."""
        return any(one.parameter(parameter) is not None for one in self.types.values())


@cache
def known_objects() -> Registry:
    """Return the registry of what the embedded solver runs."""
    text = resources.files("towline.simulations.moose").joinpath("registry.txt").read_text(encoding="utf-8")
    return read_registry(text)


def read_registry(text: str) -> Registry:
    """Read a registry; its head says how it is written.

    Raises
    ------
    ValueError
        A line is neither an object nor a parameter, or a parent is not known yet.
    """
    types: dict[tuple[str, str], ObjectType] = {}
    current: ObjectType | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        header, parameter = _HEADER.fullmatch(line), _PARAMETER.fullmatch(line)
        if header is not None:
            current = _object_type(header, types)
        elif parameter is not None and current is not None:
            one = _parameter(parameter)
            current = replace(current, parameters={**current.parameters, one.name: one})
        else:
            raise ValueError(f"registry, line {number}: {line!r} is neither an object nor a parameter")
        types[current.system, current.name] = current
    return Registry({key: one for key, one in types.items() if one.name != "*"})


def _object_type(header: re.Match[str], types: Mapping[tuple[str, str], ObjectType]) -> ObjectType:
    support, system, name, old, parent_system, parent = header.groups()
    parameters: dict[str, Parameter] = {}
    # A parent comes from its own system with what that system always has: a tracker is also a user object.
    if parent and (parent_system, parent) not in types:
        raise ValueError(f"registry: {system}/{name} comes before its parent {parent_system}/{parent}")
    for key in ((system, "*"), (parent_system, parent)):
        if key in types:
            parameters |= types[key].parameters
    return ObjectType(system, name, parameters, support or SUPPORTED, tuple((old or "").split()))


def _parameter(match: re.Match[str]) -> Parameter:
    options = (match["options"] or "").split()
    return Parameter(
        name=match["name"],
        kind=match["kind"],
        default=match["default"],
        required=match["required"] is not None,
        range=match["range"] or "",
        options=tuple(one.removeprefix("~") for one in options),
        refused_options=tuple(one[1:] for one in options if one.startswith("~")),
        old_names=tuple((match["old"] or "").split()),
        support=match["support"] or SUPPORTED,
        remark=match["remark"] or "",
    )
