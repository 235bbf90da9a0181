"""Removing a project. Apart from the other operations on projects, because it has to know about runners."""

from towline.configuration.choice import load_project
from towline.configuration.model import Project
from towline.configuration.projects import ConfigManager, remove
from towline.configuration.removal import Removal
from towline.errors import ProjectUndefined, RunnerAlreadyActive, StoreError
from towline.operations.compose import open_given
from towline.operations.runners import status_of


def plan_project_removal(name: str, *, keep_folders: bool = False) -> Removal:
    """What :func:`remove_project` would delete: the file of the project and its base_dir.

    Raises
    ------
    ProjectUndefined
        There is no such project, or it is the built-in one and has left nothing on the disk.
    RunnerAlreadyActive
        A runner works on the project.
    """
    project = load_project(name)
    refuse_while_active(project)
    removal = ConfigManager().plan_removal(project, keep_folders=keep_folders)
    if removal.file is None and not removal.paths:
        raise ProjectUndefined(f"the built-in project {name} has no file, and there is no folder of it to delete")
    return removal


def remove_project(name: str, *, keep_folders: bool = False) -> Removal:
    """Delete the file of a project and its base_dir; say what was deleted.

    Raises
    ------
    ProjectUndefined, RunnerAlreadyActive
        As :func:`plan_project_removal`.
    ConfigurationError
        Something could not be deleted.
    """
    removal = plan_project_removal(name, keep_folders=keep_folders)
    remove(removal)
    return removal


def refuse_while_active(project: Project) -> None:
    """Raise when a runner works on `project`.

    Raises
    ------
    RunnerAlreadyActive
        A runner works on it.
    """
    if project.queue_path is not None and not project.queue_path.exists():
        return
    try:
        with open_given(project) as opened:
            status = status_of(opened)
    except StoreError:
        return  # no runner can work on a database that cannot be opened, and the user may want to be rid of it
    if status.active:
        raise RunnerAlreadyActive(
            f"the runner of {project.name} is active (pid {status.pid} on {status.host}); "
            f"type: tow -p {project.name} runner stop --wait"
        )
