"""ConfigManager: the projects of a user, under the names that scripts for jobflow-remote use."""

import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towline.configuration.checked import forget
from towline.configuration.choice import find_project, load_project
from towline.configuration.defaults import DEFAULT_PROJECT, default_project
from towline.configuration.files import back_up, change_project, checked_project, scan, write_document
from towline.configuration.model import ExecutionConfig, Project, WorkerConfig
from towline.configuration.plain import document_of
from towline.configuration.removal import Removal, plan_removal
from towline.errors import ConfigurationError, ProjectUndefined
from towline.settings import Settings, load_settings

_EXTENSIONS = ("yaml", "yml", "toml", "json")


@dataclass(frozen=True, slots=True)
class ProjectData:
    """A project and the file it is in."""

    #: None for the built-in default project.
    filepath: Path | None
    project: Project
    #: Format of the file: yaml, yml, toml or json.
    ext: str


class ConfigManager:
    """Reads and changes the projects of a user.

    Parameters
    ----------
    exclude_unset, exclude_none
        What :meth:`create_project` and :meth:`dump_project` leave out: values that are the default, values that are
        None.
    warn
        Whether a project file that cannot be read is told as a warning.
    """

    def __init__(self, exclude_unset: bool = False, exclude_none: bool = False, warn: bool = False) -> None:
        self.exclude_unset = exclude_unset
        self.exclude_none = exclude_none
        self.warn = warn
        self._settings = load_settings()

    @property
    def projects(self) -> dict[str, Project]:
        """All valid projects by name, the built-in default project with them."""
        return {name: data.project for name, data in self.load_projects_data().items()}

    def load_projects_data(self) -> dict[str, ProjectData]:
        """All valid projects and their files by name, the built-in default project with them."""
        found: dict[str, ProjectData] = {}
        for file in scan(self._settings.home):
            if file.project is not None:
                found[file.project.name] = _data(file.project)
            elif self.warn:
                warnings.warn(str(file.problem), stacklevel=2)
        if DEFAULT_PROJECT not in found:
            found[DEFAULT_PROJECT] = _data(default_project(self._settings.home))
        return found

    def select_project_name(self, project_name: str | None = None) -> str:
        """Name of the project that is meant; see :func:`towline.configuration.choice.load_project`."""
        return self.get_project(project_name).name

    def get_project(self, project_name: str | None = None) -> Project:
        """The project that is meant; see :func:`towline.configuration.choice.load_project`."""
        return load_project(project_name, self._settings)

    def get_project_data(self, project_name: str | None = None) -> ProjectData:
        """The project that is meant, and its file."""
        return _data(self.get_project(project_name))

    def project_names_from_files(self, *, suppress_warnings: bool = False) -> tuple[list[str], list[str]]:
        """Names of the valid projects, and names of the project files that are not valid."""
        files = scan(self._settings.home)
        wrong = [file for file in files if file.problem is not None]
        if self.warn and not suppress_warnings:
            for file in wrong:
                warnings.warn(str(file.problem), stacklevel=2)
        return [file.project.name for file in files if file.project is not None], [file.path.name for file in wrong]

    def create_project(self, project: Project | Mapping[str, Any], ext: str = "yaml") -> None:
        """Write the file of a new project.

        Raises
        ------
        ConfigurationError
            There is such a project, or this one is not valid.
        """
        if ext not in _EXTENSIONS:
            raise ConfigurationError(f"{ext!r} is no format of project files; they are {', '.join(_EXTENSIONS)}")
        document = self._document(project)
        name = checked_project(document, self._settings.home).name
        path = new_project_path(name, ext, self._settings)
        write_document(path, document)

    def dump_project(self, project_data: ProjectData) -> None:
        """Write a project over its file."""
        path = project_data.filepath or self._settings.home / f"{project_data.project.name}.{project_data.ext}"
        document = self._document(project_data.project)
        checked_project(document, self._settings.home)
        write_document(path, document)

    def update_project(self, config: Mapping[str, Any], project_name: str | None = None) -> None:
        """Merge keys into the file of a project; mappings are merged key by key, everything else is replaced."""
        self._change(project_name, lambda document: _merge(document, config))

    def backup_project(self, project_name: str | None = None) -> None:
        """Copy the file of a project to the same name with ``.bak`` behind it."""
        path = find_project(project_name, self._settings)
        if path is None:
            raise ProjectUndefined("the built-in default project has no file; there is nothing to copy")
        back_up(path)

    def remove_project(self, project_name: str, remove_folders: bool = True) -> None:
        """Remove the file of a project, and its base_dir unless that contains something else of the user's."""
        remove(self.plan_removal(self.get_project(project_name), keep_folders=not remove_folders))

    def plan_removal(self, project: Project, *, keep_folders: bool) -> Removal:
        """What :meth:`remove_project` would delete."""
        protected = {
            Path.home(): "your home",
            self._settings.home: "the home of towline",
            Path.cwd(): "the folder you are in",
        }
        others = (other for other in self.projects.values() if other.name != project.name)
        protected |= {other.base_dir: f"the project {other.name}" for other in others}
        return plan_removal(project, protected, keep_folders=keep_folders)

    def set_worker(
        self,
        name: str,
        worker: WorkerConfig | Mapping[str, Any],
        project_name: str | None = None,
        replace: bool = False,
    ) -> None:
        """Add a worker, or replace it."""
        self._set_item("workers", name, worker, project_name, replace=replace)

    def remove_worker(self, worker_name: str, project_name: str | None = None) -> None:
        """Remove a worker from the file of a project."""
        self._remove_item("workers", worker_name, project_name)

    def get_worker(self, worker_name: str, project_name: str | None = None) -> WorkerConfig:
        """The worker of that name."""
        return self.get_project(project_name).worker(worker_name)[1]

    def set_exec_config(
        self,
        exec_config_name: str,
        exec_config: ExecutionConfig | Mapping[str, Any],
        project_name: str | None = None,
        replace: bool = False,
    ) -> None:
        """Add an execution configuration, or replace it."""
        self._set_item("exec_config", exec_config_name, exec_config, project_name, replace=replace)

    def remove_exec_config(self, exec_config_name: str, project_name: str | None = None) -> None:
        """Remove an execution configuration from the file of a project."""
        self._remove_item("exec_config", exec_config_name, project_name)

    def get_exec_config(self, exec_config_name: str, project_name: str | None = None) -> ExecutionConfig:
        """The execution configuration of that name."""
        return self.get_project(project_name).execution_config(exec_config_name)

    def set_queue_db(self, store: Any, project_name: str | None = None) -> None:
        """Set the database of the queue.

        Parameters
        ----------
        store
            Its address, such as ``postgresql+psycopg://...``, or a mapping as it stands in a project file below
            ``queue: {store: ...}``.

        Raises
        ------
        ConfigurationError
            It is something else, such as a MongoDB store.
        """
        if not isinstance(store, str | Mapping):
            raise ConfigurationError(
                f"the queue is not kept in a {type(store).__name__}: give the address of a database, "
                "such as 'sqlite:////data/queue.db', or leave it out"
            )
        document = {"url": store} if isinstance(store, str) else dict(store)
        self.update_project({"queue": {"store": document}}, project_name)

    def set_jobstore(self, jobstore: Any, project_name: str | None = None) -> None:
        """Set where outputs go.

        Parameters
        ----------
        jobstore
            A maggma or jobflow store, or a mapping as it stands in a project file.
        """
        document = dict(jobstore) if isinstance(jobstore, Mapping) else jobstore.as_dict()
        self._change(project_name, lambda whole: whole.update({"jobstore": document}))

    def _document(self, project: Project | Mapping[str, Any]) -> dict[str, Any]:
        if isinstance(project, Mapping):
            return dict(project)
        document: dict[str, Any] = document_of(
            project, exclude_defaults=self.exclude_unset, exclude_none=self.exclude_none
        )
        return document

    def _set_item(self, group: str, name: str, item: Any, project_name: str | None, *, replace: bool) -> None:
        project = self.get_project(project_name)
        if name in getattr(project, group) and not replace:
            raise ConfigurationError(f"the project {project.name} has {group}.{name}; pass replace=True to replace it")
        value = dict(item) if isinstance(item, Mapping) else document_of(item, exclude_defaults=True)
        # A file without workers has the built-in one; it stays when another one is added.
        before = _items(project, group)
        self._change(
            project.name, lambda document: document.update({group: {**(document.get(group) or before), name: value}})
        )

    def _remove_item(self, group: str, name: str, project_name: str | None) -> None:
        project = self.get_project(project_name)
        before = _items(project, group)
        if name not in before:
            known = ", ".join(before) or "none"
            raise ConfigurationError(f"the project {project.name} has no {group}.{name}; it has: {known}")

        def take_out(document: dict[str, Any]) -> None:
            items = dict(document.get(group) or before)
            del items[name]
            document[group] = items

        self._change(project.name, take_out)

    def _change(self, project_name: str | None, change: Callable[[dict[str, Any]], None]) -> None:
        path = find_project(project_name, self._settings)
        if path is None:
            path = self._settings.home / f"{DEFAULT_PROJECT}.yaml"
            write_document(path, {"name": DEFAULT_PROJECT})
        change_project(path, change)


def new_project_path(name: str, ext: str, settings: Settings) -> Path:
    """Where the file of a new project goes.

    Raises
    ------
    ConfigurationError
        A project of that name, or the file, exists.
    """
    for file in scan(settings.home):
        if file.name == name or file.path.stem == name:
            raise ConfigurationError(
                f"the project {name} exists in {file.path}; choose another name, or type: tow project remove {name}"
            )
    return settings.home / f"{name}.{ext}"


def remove(removal: Removal) -> None:
    """Delete what a removal names.

    Raises
    ------
    ConfigurationError
        Something could not be deleted; the file of the project goes last, so that the command can be repeated.
    """
    try:
        for path in removal.paths:
            if path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path)
        if removal.file is not None:
            forget(removal.file)
            removal.file.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename} could not be deleted: {error.strerror}; repeat the command"
        ) from error


def _data(project: Project) -> ProjectData:
    return ProjectData(project.source, project, "yaml" if project.source is None else project.source.suffix[1:])


def _items(project: Project, group: str) -> dict[str, Any]:
    return {name: document_of(item, exclude_defaults=True) for name, item in getattr(project, group).items()}


def _merge(document: dict[str, Any], config: Mapping[str, Any]) -> None:
    for key, value in config.items():
        if isinstance(value, Mapping) and isinstance(document.get(key), Mapping):
            _merge(document[key], value)
        else:
            document[key] = value
