"""Making one tree of several: includes, duplicates, overrides, later files, the command line, active and inactive."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from towline.errors import InvalidRequest
from towline.simulations.moose.problems import INFORMATION, Position, Problem, suggestion
from towline.simulations.moose.tree import Field, Include, Section

if TYPE_CHECKING:
    from towline.simulations.moose.input_file import InputFile

ParsePath = Callable[[Path], "InputFile"]


def expand_file(path: Path, parse_path: ParsePath) -> tuple[Section, list[Problem]]:
    """Read a file, and every file that it includes in the place where it says so.

    Raises
    ------
    InvalidInputFile
        The file itself cannot be read.
    """
    file = parse_path(path)
    problems = list(file.problems)
    _expand_includes(file.root, (path.resolve(),), path.parent, parse_path, problems)
    return file.root, problems


def _expand_includes(
    section: Section, chain: tuple[Path, ...], folder: Path, parse_path: ParsePath, problems: list[Problem]
) -> None:
    for child in section.take_children():
        if isinstance(child, Include):
            for included in _included(child, chain, folder, parse_path, problems):
                section.append(included)
        else:
            if isinstance(child, Section):
                _expand_includes(child, chain, folder, parse_path, problems)
            section.append(child)


def _included(
    include: Include, chain: tuple[Path, ...], folder: Path, parse_path: ParsePath, problems: list[Problem]
) -> "list[Section | Field]":
    path = folder / include.file
    if path.resolve() in chain:
        names = " -> ".join(one.name for one in (*chain, path))
        problems.append(Problem(f"circular !include: {names}", include.position))
        return []
    try:
        file = parse_path(path)
    except InvalidRequest as error:
        problems.append(Problem(str(error), include.position))
        return []
    problems += file.problems
    _expand_includes(file.root, (*chain, path.resolve()), path.parent, parse_path, problems)
    return [child for child in file.root.children if isinstance(child, Section | Field)]


def normalised(tree: Section) -> Section:
    """Return a copy in which every name is one step of a path, and sections of one path are one."""
    new = Section(position=tree.position)
    _absorb(new, tree)
    return new


def _absorb(target: Section, source: Section) -> None:
    for child in source.children:
        if isinstance(child, Section):
            _absorb(section_at(target, child.name, child.position), child)
        elif isinstance(child, Field):
            above, _, name = child.name.rpartition("/")
            copy = child.copy()
            copy.name = name
            section_at(target, above, child.position).append(copy)
        else:
            target.append(child.copy())


def section_at(root: Section, path: str, position: Position) -> Section:
    """Return the section of a path, active or not; it is made if there is none."""
    here = root
    for name in path.split("/") if path else ():
        known = here.own_sections(name)
        below = known[0] if known else Section(name, [], position)
        if not known:
            here.append(below)
        here = below
    return here


def settle_duplicates(tree: Section) -> list[Problem]:
    """Let ``:=`` win over ``=``, and complain about values that were given more than once."""
    problems = []
    for section in tree.walk_all():
        groups: dict[str, list[Field]] = {}
        for one in section.fields:
            groups.setdefault(one.name, []).append(one)
        for same in groups.values():
            problems += _settle(section, same)
    return problems


def _settle(section: Section, same: list[Field]) -> list[Problem]:
    overrides = [one for one in same if one.override]
    path = same[0].path
    winner = overrides[0] if overrides else same[0]
    winner.override = False
    if winner is not same[0]:
        section.remove(winner)
        section.replace(same[0], winner)
    losers = [one for one in same if one is not winner]
    for loser in losers:
        section.remove(loser)
    if len(overrides) > 1:
        return [Problem(f"'{path}' specified more than once with override syntax", one.position) for one in overrides]
    if overrides or not losers:
        return []
    return [Problem(f"parameter '{path}' supplied multiple times", one.position) for one in same]


def merge_all(trees: list[Section]) -> tuple[Section, list[Problem]]:
    """Merge the trees of several files; later ones win, which is told."""
    merged, problems = Section(), []
    for tree in trees:
        problems += settle_duplicates(tree)
        problems += _merge(merged, tree)
    return merged, problems


def _merge(target: Section, later: Section) -> list[Problem]:
    problems: list[Problem] = []
    for child in later.children:
        if isinstance(child, Section):
            problems += _merge(section_at(target, child.name, child.position), child)
            continue
        old = target.own_field(child.name) if isinstance(child, Field) else None
        if old is None or not isinstance(child, Field):
            target.append(child.copy())
        else:
            target.replace(old, child.copy())
            told = f"'{old.path}' overrides the value of {old.position}: '{old.text}' became '{child.text}'"
            problems.append(Problem(told, child.position, INFORMATION))
    return problems


def apply_override(tree: Section, argument: str, found: Field | None) -> list[Problem]:
    """Put what was said on the command line into a tree."""
    if found is None:
        complaint = f"invalid command-line argument '{argument}': expected Block/sub/parameter=value"
        return [Problem(complaint)]
    above, _, name = found.name.rpartition("/")
    section = section_at(tree, above, found.position)
    new = found.copy()
    new.name, new.override = name, False
    old = section.own_field(name)
    if old is None:
        section.append(new)
    else:
        section.replace(old, new)
    return []


def check_activation(tree: Section) -> list[Problem]:
    """Complain about ``active`` and ``inactive`` that contradict each other or name what does not exist."""
    problems = []
    for section in tree.walk_all():
        active, inactive = section.own_field("active"), section.own_field("inactive")
        if active is not None and inactive is not None:
            where = section.path or "the root"
            complaint = f"'active' and 'inactive' parameters both provided in section '{where}'"
            problems.append(Problem(complaint, active.position))
        names = [one.name for one in section.all_sections]
        for one in (active, inactive):
            if one is not None:
                problems += _unknown_children(section, one, names)
    return problems


def _unknown_children(section: Section, one: Field, names: list[str]) -> list[Problem]:
    unknown = [name for name in one.as_strings() if name not in names and name != "__all__"]
    if not unknown:
        return []
    complaint = f"variables listed as {one.name} ({', '.join(unknown)}) in section '{section.path}' not found in input"
    return [Problem(complaint + suggestion(unknown[0], names), one.position)]
