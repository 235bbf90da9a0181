"""What a user can ask of projects: make, list and show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from towline.configuration.choice import load_project
from towline.configuration.defaults import DEFAULT_PROJECT, default_project
from towline.configuration.documents import write_text, yaml_text
from towline.configuration.files import parse_project, scan
from towline.configuration.model import Project
from towline.configuration.plain import shown_document
from towline.configuration.projects import new_project_path
from towline.configuration.templates import project_text
from towline.errors import ConfigurationError, ProjectUnreadable
from towline.settings import load_settings


class FileFormat(str, Enum):
    """Format of a project file."""

    YAML = "yaml"
    TOML = "toml"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """One line of `tow project list`."""

    #: Name inside the file; None when the file cannot be read.
    name: str | None
    #: None for the built-in default project.
    file: Path | None
    #: Whether commands without ``-p`` mean this project.
    is_chosen: bool
    #: What is wrong with the file; None when it is a valid project.
    problem: str | None
    workers: tuple[str, ...] = ()
    base_dir: Path | None = None


def generate_project(name: str, file_format: FileFormat = FileFormat.YAML, *, full: bool = False) -> Path:
    """Write the file of a new project, and say where it is.

    Parameters
    ----------
    name
        Letters, digits, `_`, `.` and `-`.
    full
        Whether every key is in the file, with its default value.

    Raises
    ------
    ConfigurationError
        There is such a project, or the name is not possible.
    """
    settings = load_settings()
    ending = file_format.value
    text = project_text(name, ending, settings.home, full=full)
    # Before the path is made: a name with a slash would be somewhere else.
    try:
        parse_project(text, settings.home / f"new.{ending}")
    except ProjectUnreadable as error:
        raise ConfigurationError(
            f"{name!r} is not possible as the name of a project: take up to 64 letters, digits, _, . and -, "
            "beginning with a letter, a digit or _"
        ) from error
    path = new_project_path(name, ending, settings)
    write_text(path, text)
    return path


def list_projects() -> list[ProjectSummary]:
    """Every project file in the home, valid or not, and the built-in default project."""
    settings = load_settings()
    try:
        chosen = load_project(settings=settings).name
    except ConfigurationError:
        chosen = None  # none, or a broken one, which the list shows
    summaries = [
        ProjectSummary(file.name, file.path, file.name == chosen and file.problem is None, file.problem)
        if file.project is None
        else _summary(file.project, chosen)
        for file in scan(settings.home)
    ]
    if not any(summary.name == DEFAULT_PROJECT for summary in summaries):
        summaries.append(_summary(default_project(settings.home), chosen))
    return summaries


def project_names() -> list[str]:
    """Names of all valid projects, the built-in one with them."""
    return [summary.name for summary in list_projects() if summary.problem is None and summary.name is not None]


def show_project(name: str | None = None) -> dict[str, Any]:
    """Every value that is in force in a project, secrets masked."""
    return shown_document(load_project(name))


def show_project_text(name: str | None = None) -> str:
    """The same as YAML, for people."""
    document = show_project(name)
    source = document.pop("source")
    return f"# {'the built-in project' if source is None else source}\n{yaml_text(document)}"


def project_schema() -> dict[str, Any]:
    """The JSON schema of project files."""
    # Loads pydantic, which nothing else here needs.
    from towline.configuration.schema import project_json_schema

    return project_json_schema()


def list_workers(name: str | None = None) -> Mapping[str, Mapping[str, Any]]:
    """The workers of a project with every value that is in force, secrets masked."""
    workers: Mapping[str, Mapping[str, Any]] = show_project(name)["workers"]
    return workers


def list_exec_configs(name: str | None = None) -> Mapping[str, Mapping[str, Any]]:
    """The execution configurations of a project, secrets masked."""
    configs: Mapping[str, Mapping[str, Any]] = show_project(name)["exec_config"]
    return configs


def _summary(project: Project, chosen: str | None) -> ProjectSummary:
    return ProjectSummary(
        project.name, project.source, project.name == chosen, None, tuple(project.workers), project.base_dir
    )
