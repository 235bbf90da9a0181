"""Which folders may go when a project is removed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from towline.configuration.model import Project


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes with a project, and what stays."""

    #: File of the project; None for the built-in one.
    file: Path | None
    #: Folders and files to delete, with everything in them.
    paths: tuple[Path, ...]
    #: What belongs to the project and is not deleted, with the reason.
    kept: tuple[tuple[Path, str], ...]


def plan_removal(project: Project, protected: Mapping[Path, str], *, keep_folders: bool) -> Removal:
    """What to delete with a project.

    Only `base_dir` is deleted, and only when it contains nothing of `protected`: a base_dir that is somebody's home
    must not be emptied by a command about a project.

    Parameters
    ----------
    protected
        What has to stay, and what it is: the homes of the user and of towline, the working folder, other projects.
    """
    own = [project.tmp_dir, project.log_dir, project.daemon_dir]
    own += [project.queue_path] if project.queue_path else []
    own += [worker.work_dir for worker in project.workers.values()]
    outside = {path for path in own if not path.is_relative_to(project.base_dir) and path.exists()}
    if keep_folders:
        return Removal(project.source, (), ((project.base_dir, "as asked"),))
    inside = [what for path, what in protected.items() if _real(path).is_relative_to(_real(project.base_dir))]
    kept = [(path, "is outside of base_dir") for path in sorted(outside)]
    if inside:
        kept.insert(0, (project.base_dir, f"contains {inside[0]}"))
        return Removal(project.source, (), tuple(kept))
    return Removal(project.source, (project.base_dir,) if project.base_dir.exists() else (), tuple(kept))


def _real(path: Path) -> Path:
    return Path(path).resolve()
