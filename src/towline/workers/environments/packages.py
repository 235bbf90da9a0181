"""The packages of this environment that jobs need, with the versions they have here."""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from towline.errors import InvalidRequest

#: Files of an installation that are no part of a package.
_OF_THE_INSTALLER = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "RECORD.jws", "RECORD.p7s"})
#: Part of the path of a script in a wheel.
SCRIPTS = ".data/scripts/"
_COMPILED = (".so", ".dylib", ".pyd")


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is installed here."""

    #: In small letters, with hyphens.
    name: str
    version: str
    #: Where it runs, as wheels say it: ``py3-none-any``; empty when it says nothing.
    tags: tuple[str, ...]
    #: Whether it has compiled parts, by the names of its files.
    is_compiled: bool
    #: Whether an index has it in this version, as far as one can tell.
    in_index: bool
    #: What it is made of, as a hash.
    key: str
    #: How many files it has.
    size: int
    distribution: metadata.Distribution = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a package."""

    #: By their paths in a wheel, without the folder with the facts about the package.
    files: Mapping[str, Path]
    #: Contents of the folder with the facts about the package (``*.dist-info``), by name.
    facts: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Closure:
    """Packages with everything they need."""

    distributions: tuple[metadata.Distribution, ...]
    #: Requirements that are not installed here, with the package that asks: only the worker needs them.
    missing: tuple[str, ...]


def closure(names: Iterable[str], markers: Mapping[str, str]) -> Closure:
    """Installed distributions with all that they need on a machine with these markers.

    Parameters
    ----------
    names
        Names of distributions, with extras in brackets if need be.
    markers
        What `packaging` calls the environment of that machine: `python_version`, `sys_platform`, …

    Raises
    ------
    InvalidRequest
        One of `names` is not installed.
    """
    found: dict[str, metadata.Distribution] = {}
    missing: list[str] = []
    done: set[tuple[str, str]] = set()
    waiting: list[tuple[Requirement, str | None]] = [(Requirement(name), None) for name in names]
    while waiting:
        requirement, asker = waiting.pop()
        name = canonicalize_name(requirement.name)
        new = [extra for extra in ("", *sorted(requirement.extras)) if (name, extra) not in done]
        if not new:
            continue
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            if asker is None:
                raise InvalidRequest(f"{requirement.name} is not installed here; install it, or leave it out") from None
            done.update((name, extra) for extra in new)
            missing.append(f"{requirement} (for {asker})")
            continue
        found[name] = distribution
        for extra in new:
            done.add((name, extra))
            waiting += [(inner, name) for inner in _requirements(distribution, extra, markers)]
    return Closure(tuple(found[name] for name in sorted(found)), tuple(sorted(missing)))


def _requirements(distribution: metadata.Distribution, extra: str, markers: Mapping[str, str]) -> list[Requirement]:
    found = [Requirement(text) for text in distribution.requires or ()]
    here = {**markers, "extra": extra}
    return [item for item in found if item.marker is None or item.marker.evaluate(here)]


def distributions_named(name: str) -> list[str]:
    """The distributions that a user means by the name of one, or by that of a module.

    Raises
    ------
    InvalidRequest
        Neither of that name is here.
    """
    try:
        base = Requirement(name).name
        metadata.distribution(base)
    except (ValueError, metadata.PackageNotFoundError):
        top = name.partition(".")[0]
        known = metadata.packages_distributions().get(top)
        if known:
            return sorted(set(known))
        if top.isidentifier() and find_spec(top) is not None:
            raise InvalidRequest(
                f"{name} is a module of no package that is installed here, so it has no version; put a pyproject.toml "
                "beside it, and type: pip install -e ."
            ) from None
        raise InvalidRequest(f"{name} is no package and no module here; install it, or correct the name") from None
    return [name]


def package_of(distribution: metadata.Distribution) -> Package:
    """What an installed distribution is.

    Raises
    ------
    InvalidRequest
        Its files are not known, as of an installation without pip.
    """
    name = canonicalize_name(distribution.metadata["Name"])
    origin = distribution.read_text("direct_url.json")
    wheel = distribution.read_text("WHEEL") or ""
    if is_editable(distribution):
        # What pip wrote down is the wheel that leads to the checkout.
        tags: tuple[str, ...] = ()
        contents = contents_of(distribution)
        names = list(contents.files)
        key = _hash(contents.facts, {path: file.read_bytes() for path, file in contents.files.items()})
    else:
        tags = tuple(line.partition(":")[2].strip() for line in wheel.splitlines() if line.startswith("Tag:"))
        names = _recorded(name, distribution)
        key = _hash({"RECORD": "\n".join(names).encode(), "WHEEL": wheel.encode()})
    compiled = any(item.endswith(_COMPILED) for item in names)
    return Package(name, distribution.version, tags, compiled, origin is None, key, len(names), distribution)


def is_editable(distribution: metadata.Distribution) -> bool:
    """Whether a distribution is a checkout that is used where it is."""
    origin = distribution.read_text("direct_url.json")
    return origin is not None and bool(json.loads(origin).get("dir_info", {}).get("editable", False))


def contents_of(distribution: metadata.Distribution) -> Contents:
    """The files of an installed distribution.

    Raises
    ------
    InvalidRequest
        They are not known, or the modules of a checkout cannot be found.
    """
    name = canonicalize_name(distribution.metadata["Name"])
    root = Path(str(distribution.locate_file("")))
    stem = f"{wheel_name(name)}-{distribution.version}"
    # Whoever installs the wheel writes these again.
    written = {entry.name for entry in distribution.entry_points if entry.group in ("console_scripts", "gui_scripts")}
    facts: dict[str, bytes] = {}
    files: dict[str, Path] = {}
    for path in map(PurePosixPath, _recorded(name, distribution)):
        if path.parts[0].endswith(".dist-info"):
            inner = "/".join(path.parts[1:])
            if inner not in _OF_THE_INSTALLER and (root / path).is_file():
                facts[inner] = (root / path).read_bytes()
        elif path.name not in written and (place := _place_in_wheel(path, stem)) and (root / path).is_file():
            files[place] = root / path
    return Contents(_editable_files(name, distribution) if is_editable(distribution) else files, facts)


def _recorded(name: str, distribution: metadata.Distribution) -> list[str]:
    """Paths of all files, as the installer wrote them down. Asking for `files` of all packages takes seconds."""
    record = distribution.read_text("RECORD")
    if record is None:
        raise InvalidRequest(f"nobody knows which files belong to {name} here; install it again with pip")
    return [row[0] for row in csv.reader(record.splitlines()) if row]


def _hash(*parts: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for name, content in sorted(part.items()):
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:20]


def _place_in_wheel(file: PurePosixPath, stem: str) -> str | None:
    """Where the wheel of that name has a file that was installed there; None for what the installer made."""
    if file.suffix == ".pyc" or file.is_absolute():
        return None
    if file.parts[0] != "..":
        return str(file)
    outside = [part for part in file.parts if part != ".."]
    if outside[0] == "bin":
        return f"{stem}{SCRIPTS}{'/'.join(outside[1:])}"
    return f"{stem}.data/data/{'/'.join(outside)}"


def wheel_name(name: str) -> str:
    """A name of a package as the names of wheels have it."""
    return re.sub(r"[-_.]+", "_", name).lower()


def _editable_files(name: str, distribution: metadata.Distribution) -> dict[str, Path]:
    listed = (distribution.read_text("top_level.txt") or wheel_name(name)).split()
    found: dict[str, Path] = {}
    for top in listed:
        spec = find_spec(top)
        if spec is None:
            raise InvalidRequest(f"{name} is an editable installation, and its module {top} cannot be found; repair it")
        if spec.submodule_search_locations:
            for folder in spec.submodule_search_locations:
                found.update(_tree(top, Path(folder)))
        elif spec.origin is not None:
            found[Path(spec.origin).name] = Path(spec.origin)
    return found


def _tree(top: str, folder: Path) -> dict[str, Path]:
    return {
        f"{top}/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
