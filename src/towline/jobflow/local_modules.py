"""Modules beside the user's script: which there are, and how the job's process on this machine finds them."""

import importlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from towline.jobflow.main_module import forget_classes

#: What runs the jobs is never taken for the user's, even where it runs from a checkout.
_OWN_PACKAGES = frozenset({"towline", "jobflow"})


def folders_beside_the_script() -> list[str]:
    """Entries of the Python path that are neither the standard library nor installed packages, in their order."""
    entries = [os.path.realpath(entry or ".") for entry in sys.path]
    return [entry for entry in dict.fromkeys(entries) if not _is_installed(entry) and Path(entry).is_dir()]


def local_files(modules: Iterable[str]) -> dict[str, str]:
    """File of each of `modules` that is neither installed nor part of Python."""
    return {name: file for name in modules if (file := _local_file(name)) is not None}


def make_findable(folders: Sequence[str], files: Mapping[str, str]) -> None:
    """Let this process import from `folders`, and drop modules that it has from elsewhere or in an old version."""
    if sys.path[: len(folders)] != [*folders]:
        # In front and in their order, as they were in the script; an earlier job may have brought others.
        sys.path[:] = [*folders, *(entry for entry in sys.path if entry not in folders)]
        importlib.invalidate_caches()
    outdated = [name for name, file in files.items() if _is_outdated(name, file)]
    if outdated:
        _drop(outdated, folders)


#: Modification time of the files of local modules when this process first used them.
_modified: dict[str, int] = {}


def _is_outdated(name: str, file: str) -> bool:
    """Whether this process has module `name` from another file, or from before the file was changed."""
    try:
        modified = Path(file).stat().st_mtime_ns
    except OSError:
        return False  # another machine: the module comes from where it is installed there
    first_seen = _modified.setdefault(file, modified)
    module = sys.modules.get(name)
    if module is None:
        _modified[file] = modified
        return False
    return modified != first_seen or _file_of(name) != file


def _drop(names: Iterable[str], folders: Sequence[str]) -> None:
    inside = tuple(f"{folder}{os.sep}" for folder in folders)
    for name in [*sys.modules]:
        file = _local_file(name)
        if name in names or (file is not None and file.startswith(inside)):
            del sys.modules[name]
    _modified.clear()
    importlib.invalidate_caches()
    forget_classes()


def _local_file(name: str) -> str | None:
    file = None if name.partition(".")[0] in _OWN_PACKAGES else _file_of(name)
    return None if file is None or _is_installed(file) else file


def _file_of(name: str) -> str | None:
    file = getattr(sys.modules.get(name), "__file__", None)
    return os.path.realpath(file) if isinstance(file, str) else None


def _is_installed(path: str) -> bool:
    return path.startswith(_installed_folders()) or "/site-packages" in path or "/dist-packages" in path


@cache
def _installed_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {site.getusersitepackages()}
    return tuple(os.path.realpath(folder) for folder in folders)
