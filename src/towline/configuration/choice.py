"""Which project is meant."""

from pathlib import Path

from towline.configuration.defaults import DEFAULT_PROJECT, default_project
from towline.configuration.files import name_in, project_paths, read_project, written_name
from towline.configuration.model import Project
from towline.core.spelling import did_you_mean
from towline.errors import ProjectUndefined, ProjectUnreadable
from towline.settings import Settings, load_settings


def load_project(name: str | None = None, settings: Settings | None = None) -> Project:
    """The project called `name`, or the one that is meant when no name is given.

    Without a name it is the one of the setting ``project`` (``TOWLINE_PROJECT``), else the only one that has a file,
    else the built-in default project. Only the file of that project is read, if it has the name of the project.

    Raises
    ------
    ProjectUndefined
        There is no such project, or several and none was chosen.
    ProjectUnreadable
        The file of the project is wrong.
    """
    settings = load_settings() if settings is None else settings
    path = find_project(name, settings)
    return default_project(settings.home) if path is None else read_project(path)


def find_project(name: str | None, settings: Settings) -> Path | None:
    """The file of the project that is meant; None for the built-in default project.

    Raises
    ------
    ProjectUndefined
        As :func:`load_project`.
    ProjectUnreadable
        Two files have the same project, or the file named like the project cannot be parsed.
    """
    name = name or settings.project
    paths = project_paths(settings.home)
    if name is not None:
        return _find_named(name, paths, settings.home)
    if len(paths) > 1:
        names = [found for path in paths if (found := name_in(path)) is not None]
        raise ProjectUndefined(
            f"there are several projects ({', '.join(names) or 'none of them readable'}) and none is chosen; "
            f"put -p NAME behind `tow`, or type: export TOWLINE_PROJECT={names[0] if names else 'NAME'}"
        )
    return paths[0] if paths else None


def _find_named(name: str, paths: list[Path], home: Path) -> Path | None:
    # A file named like the project is believed first, so that no other file is read; if it is broken, say so.
    found = [path for path in paths if path.stem == name and str(written_name(path) or name) == name]
    if not found:
        found = [path for path in paths if name_in(path) == name]
    if len(found) > 1:
        raise ProjectUnreadable(
            f"the project {name} is in several files: {', '.join(map(str, found))}; remove all but one"
        )
    if found:
        return found[0]
    if name == DEFAULT_PROJECT:
        return None
    raise ProjectUndefined(_no_such_project(name, paths, home))


def _no_such_project(name: str, paths: list[Path], home: Path) -> str:
    names = {path: name_in(path) for path in paths}
    known = sorted({found for found in names.values() if found is not None} | {DEFAULT_PROJECT})
    broken = [str(path) for path, found in names.items() if found is None]
    parts = [f"there is no project {name!r} in {home}; there is {', '.join(known)}"]
    if hint := did_you_mean(name, known):
        parts.append(hint)
    if broken:
        parts.append(f"it may be in a file that cannot be read ({', '.join(broken)}); type: tow project list --warn")
    else:
        parts.append(f"to make it, type: tow project generate {name}")
    return "; ".join(parts)
