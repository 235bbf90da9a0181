"""Looks at a Python, and makes an environment with it: runs on a worker where towline may not be.

It travels as an archive with the libraries `packaging` and `installer` in it, is run by the Python in question
(``python program.zip probe`` or ``python program.zip install SPECIFICATION``), and prints its answer as one line of
JSON behind :data:`ANSWER`. It imports nothing else of towline.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

ANSWER = "@towline answer "
#: In an environment that is complete: what it was made of.
RECORD_FILE = "towline-environment.json"
#: Python that an environment is made with has to be at least this.
OLDEST_PYTHON = (3, 11)
#: So often something is printed: a connection that stands still is given up.
_SIGN_OF_LIFE_SECONDS = 5.0
_SHOWN_CHARACTERS = 1500
_REACH_SECONDS = 30.0


class Refused(Exception):
    """The environment cannot be made, and why."""


def main(arguments: list[str]) -> None:
    """Do what the arguments say, and print what came of it."""
    if arguments[0] == "probe":
        made_with = _made_with()
        if made_with is not None:
            os.execv(made_with, [made_with, sys.argv[0], "probe"])
        _answer(probe())
        return
    if arguments[0] == "reach":
        _answer({"reached": reaches_index(arguments[1])})
        return
    stop = threading.Event()
    threading.Thread(target=_signs_of_life, args=(stop,), daemon=True).start()
    try:
        answer = install(json.loads(Path(arguments[1]).read_text(encoding="utf-8")))
    except Refused as error:
        answer = {"refused": str(error)}
    except OSError as error:
        answer = {"refused": f"{error.strerror}: {error.filename or ''}".rstrip(": ")}
    finally:
        stop.set()
    _answer(answer)


def _answer(facts: Mapping[str, Any]) -> None:
    sys.stdout.write(f"\n{ANSWER}{json.dumps(facts)}\n")
    sys.stdout.flush()


def _signs_of_life(stop: threading.Event) -> None:
    while not stop.wait(_SIGN_OF_LIFE_SECONDS):
        sys.stdout.write("\n")
        sys.stdout.flush()


def _made_with() -> str | None:
    """The Python that this environment was made with, if it is one of ours: the next one is made with the same."""
    try:
        record = json.loads(Path(sys.prefix, RECORD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = str(record["made_with"])
    return found if os.access(found, os.X_OK) else None


def probe() -> dict[str, Any]:
    """What has to be known of this Python to choose packages for it."""
    from packaging.markers import default_environment
    from packaging.tags import sys_tags

    return {
        "executable": sys.executable,
        "markers": dict(default_environment()),
        "tags": [str(tag) for tag in sys_tags()],
        "packages": _packages(),
        "has_venv": _can_import("venv"),
        "has_pip": _can_import("pip"),
        "uv": shutil.which("uv"),
    }


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for item in metadata.distributions():
        name = item.metadata["Name"]
        if name:
            # The first one on the path is the one that is imported.
            found.setdefault(name.lower().replace("_", "-").replace(".", "-"), item.version)
    return found


def _can_import(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def reaches_index(requirement: str) -> bool:
    """Whether a package can be had from the index of this machine; soon told, also where nothing answers."""
    options = ["--dry-run", "--no-deps", "--quiet", requirement]
    patience = {"PIP_RETRIES": "0", "PIP_TIMEOUT": "10", "PIP_DEFAULT_TIMEOUT": "10", "UV_HTTP_TIMEOUT": "10"}
    uv = shutil.which("uv")
    # What is installed or cached says nothing about the index.
    options += ["--ignore-installed"] if uv is None else ["--reinstall", "--no-cache"]
    try:
        done = _run(index_command(uv, sys.executable, options), patience, timeout_seconds=_REACH_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def install(specification: Mapping[str, Any]) -> dict[str, Any]:
    """Make the environment, unless it is there and complete.

    Raises
    ------
    Refused
        Something of it does not work; nothing of it is left.
    """
    place = Path(specification["place"]).expanduser()
    place.parent.mkdir(parents=True, exist_ok=True)
    python = place / "bin" / "python"
    with _locked(place.with_name(f"{place.name}.lock")):
        if (place / RECORD_FILE).exists() and python.exists():
            return {"python": str(python), "made": False}
        shutil.rmtree(place, ignore_errors=True)
        try:
            _make(place, specification)
            _check(python, specification)
            record = {"made_with": sys.executable, "packages": specification["packages"]}
            partial = place / f"{RECORD_FILE}.partial"
            partial.write_text(json.dumps(record, indent=1), encoding="utf-8")
            partial.replace(place / RECORD_FILE)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
    _remove_old_wheels(specification)
    return {"python": str(python), "made": True}


def _remove_old_wheels(specification: Mapping[str, Any]) -> None:
    """Keep those of this environment alone: the next one has most of them in common with it."""
    kept = {Path(wheel).expanduser().parent.name for wheel in specification["wheels"]}
    with contextlib.suppress(OSError):
        for folder in Path(specification["wheels_folder"]).expanduser().iterdir():
            if folder.name not in kept and not folder.name.startswith("."):
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody else makes the same environment meanwhile."""
    import fcntl

    with path.open("w") as stream:
        # Some file systems of clusters have no locks.
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _make(place: Path, specification: Mapping[str, Any]) -> None:
    import venv

    # Without pip, which takes longer than all the rest, and which some systems do not have.
    venv.EnvBuilder(symlinks=True, with_pip=False).create(place)
    if specification["on_top"]:
        # Also where this Python is that of a virtual environment, which `system_site_packages` would pass by.
        own = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        Path(_folder_of(place), "towline-below.pth").write_text("\n".join([*own, ""]), encoding="utf-8")
    if specification["from_index"]:
        _install_from_index(place, specification)
    else:
        for wheel in specification["wheels"]:
            _install_wheel(place, Path(wheel).expanduser())


def _folder_of(place: Path) -> str:
    return _scheme(place)["purelib"]


def _scheme(place: Path) -> dict[str, str]:
    root = str(place)
    variables = {"base": root, "platbase": root, "installed_base": root, "installed_platbase": root}
    return sysconfig.get_paths("venv", vars=variables)


def _install_wheel(place: Path, wheel: Path) -> None:
    from installer import install as install_wheel
    from installer.destinations import SchemeDictionaryDestination
    from installer.sources import WheelFile

    destination = SchemeDictionaryDestination(_scheme(place), str(place / "bin" / "python"), "posix")
    with WheelFile.open(wheel) as source:
        install_wheel(source, destination, {"INSTALLER": b"towline\n"})


def index_command(uv: str | None, python: str, options: list[str]) -> list[str]:
    """The command that installs something for `python` from the index of this machine."""
    if uv is not None:
        return [uv, "pip", "install", "--python", python, *options]
    return [sys.executable, "-m", "pip", "--python", python, "install", "--disable-pip-version-check", *options]


def _install_from_index(place: Path, specification: Mapping[str, Any]) -> None:
    requirements = place / "requirements.txt"
    # As addresses: a path may have spaces and quotes.
    files = [Path(wheel).expanduser() for wheel in specification["wheels"]]
    wheels = [f"{file.name.partition('-')[0]} @ {file.as_uri()}" for file in files]
    requirements.write_text("\n".join([*specification["requirements"], *wheels, ""]), encoding="utf-8")
    options = ["--quiet", "-r", str(requirements)]
    if not specification["with_dependencies"]:
        options.append("--no-deps")
    done = _run(index_command(shutil.which("uv"), str(place / "bin" / "python"), options))
    if done.returncode:
        raise Refused(f"the packages cannot be installed from the index of the worker: {_last_words(done)}")


def _check(python: Path, specification: Mapping[str, Any]) -> None:
    """Import what jobs import, which also compiles it; what a shell brings along must not come before it."""
    program = (
        "import importlib, sys\nfrom importlib import metadata\n"
        "for name in sys.argv[2:]: importlib.import_module(name)\n"
        "for pair in sys.argv[1].split():\n"
        "    name, version = pair.split('==')\n"
        "    found = metadata.version(name)\n"
        "    if found != version: sys.exit(f'{name} {found} comes before {version}; look at PYTHONPATH there')\n"
    )
    pins = " ".join(specification["versions"])
    done = _run([str(python), "-P", "-c", program, pins, *specification["modules"]])
    if done.returncode:
        raise Refused(f"what was installed does not work there: {_last_words(done)}")


def _run(
    words: list[str], variables: Mapping[str, str] = MappingProxyType({}), *, timeout_seconds: float | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, **variables},
        timeout=timeout_seconds,
    )


def _last_words(done: "subprocess.CompletedProcess[str]") -> str:
    return ((done.stderr.strip() or done.stdout.strip())[-_SHOWN_CHARACTERS:]) or f"exit code {done.returncode}"


if __name__ == "__main__":
    main(sys.argv[1:])
