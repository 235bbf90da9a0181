"""Changing the text of project files, with a look at what would change."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from towline.configuration.choice import load_project
from towline.configuration.documents import read_text, write_text
from towline.configuration.files import back_up, parse_project, scan
from towline.errors import ConfigurationError, InvalidRequest
from towline.operations.project_removal import refuse_while_active
from towline.settings import load_settings


@dataclass(frozen=True, slots=True)
class Edit:
    """A project file before and after a replacement."""

    path: Path
    before: str
    after: str

    @property
    def difference(self) -> str:
        """What changes, as `diff -u` shows it."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True), self.after.splitlines(keepends=True), str(self.path), "after"
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def plan_replacement(name: str | None, old: str, new: str, *, everywhere: bool = False) -> list[Edit]:
    """The files in which `old` stands, with `new` in its place; nothing is written.

    Parameters
    ----------
    everywhere
        In every project file, whether valid or not, instead of the one of the project.

    Raises
    ------
    InvalidRequest
        `old` is empty, or stands nowhere.
    ConfigurationError
        A project would not be valid after that; or the built-in project is meant, which has no file.
    RunnerAlreadyActive
        A runner works on the project.
    """
    if not old:
        raise InvalidRequest("the text to replace is empty; say which text")
    paths = [file.path for file in scan(load_settings().home)] if everywhere else [_file_of(name)]
    edits = [Edit(path, text, text.replace(old, new)) for path in paths if old in (text := read_text(path))]
    if not edits:
        raise InvalidRequest(f"{old!r} stands nowhere in {', '.join(map(str, paths)) or 'any project file'}")
    for edit in edits:
        parse_project(edit.after, edit.path)
    return edits


def _file_of(name: str | None) -> Path:
    project = load_project(name)
    if project.source is None:
        raise ConfigurationError(
            f"the built-in project {project.name} has no file; to make one: tow project generate {project.name}"
        )
    refuse_while_active(project)
    return project.source


def carry_out(edits: Sequence[Edit], *, backup: bool = True) -> list[Path]:
    """Write the files; return their copies, which have ``.bak`` behind the name.

    Raises
    ------
    ConfigurationError
        A file cannot be written.
    """
    copies = [back_up(edit.path) for edit in edits] if backup else []
    for edit in edits:
        write_text(edit.path, edit.after)
    return copies
