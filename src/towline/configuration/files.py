"""Project files: finding, reading, writing and removing them."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towline.configuration import checked
from towline.configuration.defaults import completed
from towline.configuration.documents import FORMATS, changed, line_of, parse, read_text, render, write_text
from towline.configuration.model import Project
from towline.configuration.refusals import Problem, refusals
from towline.errors import ConfigurationError, ProjectUnreadable
from towline.settings import SETTINGS_FILE


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A file in the home that is, or should be, a project."""

    path: Path
    #: Name inside the file; None when the file cannot be read.
    name: str | None
    #: What is wrong with the file; None when it is a valid project.
    problem: str | None
    #: The project, when the file is valid.
    project: Project | None = None


def project_paths(home: Path) -> list[Path]:
    """The project files in the home, sorted by name; nothing is read."""
    try:
        paths = sorted(home.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ConfigurationError(f"the folder {home} cannot be read: {error.strerror}") from error
    hidden = (SETTINGS_FILE, ".")
    return [path for path in paths if path.suffix in FORMATS and not path.name.startswith(hidden) and path.is_file()]


def read_project(path: Path) -> Project:
    """The project in a file.

    Raises
    ------
    ProjectUnreadable
        The file cannot be parsed, has unknown keys or impossible values, or asks for something that this version of
        towline cannot do. The message has one line for each problem, with its place.
    """
    text = read_text(path)
    project = checked.recall(path, text)
    if project is None:
        project = parse_project(text, path)
        checked.remember(path, text, project)
    object.__setattr__(project, "source", path)  # set here and in parse_project only; see the model
    return project


def parse_project(text: str, path: Path) -> Project:
    """The project in the text of a file that is, or will be, at `path`.

    Raises
    ------
    ProjectUnreadable
        As :func:`read_project`.
    """
    project, problems = _validated(parse(text, path), path.parent)
    if project is None:
        raise ProjectUnreadable(_message(path, text, problems))
    object.__setattr__(project, "source", path)
    return project


def checked_project(document: Mapping[str, Any], home: Path) -> Project:
    """The project in a document that is not in a file yet.

    Raises
    ------
    ProjectUnreadable
        As :func:`read_project`.
    """
    project, problems = _validated(document, home)
    if project is None:
        raise ProjectUnreadable(
            "\n".join(["this is no valid project:", *(_line(keys, text) for keys, text in problems)])
        )
    return project


def name_in(path: Path) -> str | None:
    """The name inside a project file; None when the file cannot be read or has none."""
    try:
        name = written_name(path)
    except ProjectUnreadable:
        return None
    return str(name) if isinstance(name, str | int) else None


def written_name(path: Path) -> object:
    """What a project file has as its name; None when it has none.

    Raises
    ------
    ProjectUnreadable
        The file cannot be read or parsed.
    """
    text = read_text(path)
    project = checked.recall(path, text)
    return parse(text, path).get("name") if project is None else project.name


def scan(home: Path) -> list[ProjectFile]:
    """Every project file in the home, with what is wrong with it."""
    return [_scanned(path) for path in project_paths(home)]


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write a project file, in the format that its ending tells.

    Raises
    ------
    ProjectUnreadable
        The file cannot be written.
    """
    write_text(path, render(document, FORMATS[path.suffix]))


def change_project(path: Path, change: Callable[[dict[str, Any]], None]) -> Project:
    """Change keys of a project file; it is written only if the project is valid after the change.

    Raises
    ------
    ProjectUnreadable
        The file cannot be read or written, or the project would not be valid.
    """
    text = changed(read_text(path), path, change)
    project = parse_project(text, path)
    write_text(path, text)
    return project


def back_up(path: Path) -> Path:
    """Copy a project file to the same name with ``.bak`` behind it, and say where."""
    copy = path.with_name(f"{path.name}.bak")
    try:
        shutil.copy2(path, copy)
    except OSError as error:
        raise ProjectUnreadable(f"{path} cannot be copied to {copy}: {error.strerror}") from error
    return copy


def project_stamp(project: Project) -> tuple[int, ...]:
    """A cheap value that changes when the file of the project was edited, replaced or removed.

    For the built-in default project it changes when something changes in the home: a file may have come.
    """
    path = project.source or project.base_dir.parent
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _scanned(path: Path) -> ProjectFile:
    try:
        project = read_project(path)
    except ProjectUnreadable as error:
        return ProjectFile(path, name_in(path), str(error))
    return ProjectFile(path, project.name, None, project)


def _validated(document: Mapping[str, Any], home: Path) -> tuple[Project | None, list[Problem]]:
    # Loads pydantic, which nothing needs as long as there is no project file.
    from towline.configuration.schema import validate

    refused = refusals(document)
    whole, wrong = completed(document, home)
    project, invalid = validate(whole)
    problems = list(refused)
    for keys, text in [*wrong, *invalid]:
        # One message for one place: a refused worker has many keys that do not fit either.
        if not any(keys[: len(known)] == known for known, _ in problems):
            problems.append((keys, text))
    return (None if problems else project), problems


def _message(path: Path, text: str, problems: list[Problem]) -> str:
    count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"the project file {path} has {count}:"]
    for keys, reason in problems:
        number = line_of(text, path, keys)
        lines.append(_line(keys, reason, "" if number is None else f"line {number}: "))
    return "\n".join([*lines, "Correct it, then type: tow project list --warn"])


def _line(keys: tuple[str | int, ...], reason: str, where: str = "") -> str:
    return f"  {where}{'.'.join(map(str, keys)) or 'the file'}: {reason}"
