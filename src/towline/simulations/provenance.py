"""What a result was made from and with: hashes of files, versions of programs, the state of the source, the machine."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from towline.errors import InvalidRequest
from towline.simulations.run_directory import EVENTS, RECORD, read_json

_PACKAGES = ("towline", "jobflow", "numpy", "scipy", "netCDF4", "meshio", "matplotlib", "pydantic-ai-slim")
#: Change after the hashes were taken.
_OWN = (RECORD, EVENTS)
#: What people should cite who use the results.
CITATIONS = {
    "MOOSE": "G. Giudicelli et al., 3.0 - MOOSE, SoftwareX 26, 101690 (2024)",
    "towline": "towline, BSD 3-Clause",
}


def machine() -> dict[str, Any]:
    """This machine, and the Python on it."""
    return {
        "hostname": platform.node(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "python_executable": sys.executable,
    }


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=1)
def source_state() -> Mapping[str, Any] | None:
    """Revision of towline's own source, and whether it was changed since; None when it was installed from a package."""
    folder = Path(__file__).resolve().parents[3]
    if not (folder / ".git").exists():
        return None
    revision = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return None if revision is None else {"revision": revision, "changed": bool(changes)}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hashes_of(folder: Path, files: Iterable[Path] | None = None) -> dict[str, str]:
    """SHA-256 of files, by their path relative to the run directory; of all of them except the records by default."""
    chosen = sorted(path for path in folder.rglob("*") if path.is_file()) if files is None else list(files)
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in chosen
        if path.name not in _OWN and not path.name.startswith(".")
    }


def changed_files(folder: Path) -> tuple[list[str], list[str], int]:
    """Files of a run that are not as they were when it was judged, those that are missing, and how many were compared.

    Raises
    ------
    InvalidRequest
        It is no run directory, or has not been judged yet.
    """
    record = read_json(folder / RECORD)
    expected: Mapping[str, str] = record.get("hashes") or {}
    if not expected:
        raise InvalidRequest(f"{folder} has no hashes yet: its run has not been judged")
    missing = [name for name in expected if not (folder / name).is_file()]
    changed = [name for name, digest in expected.items() if name not in missing and sha256(folder / name) != digest]
    return changed, missing, len(expected)


def executable_state(command: Sequence[str]) -> dict[str, Any]:
    """Path and hash of a program; no hash when it is on another machine."""
    path = Path(command[0]) if command else None
    known = path is not None and path.is_file()
    return {"command": list(command), "executable": str(path), "sha256": sha256(path) if known and path else None}
