"""Putting towline and the packages of this environment on a worker, and telling the worker to use them."""

import hashlib
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from towline.configuration.execution import shell_setup
from towline.configuration.files import change_project
from towline.configuration.model import Project, WorkerConfig
from towline.core.records import ShellSetup
from towline.errors import ConfigurationError, InvalidRequest, WorkerError
from towline.on_worker.environment_program import OLDEST_PYTHON
from towline.operations.environments import MAIN_PACKAGES
from towline.operations.old_environments import note_use
from towline.operations.workers import python_of, transport_of
from towline.workers.environments.installing import EnvironmentPlan, finished_python, make_environment, reaches_index
from towline.workers.environments.looking import Candidate, candidates
from towline.workers.environments.packages import Package, closure, distributions_named, package_of
from towline.workers.transports.transport import Progress, Transport

#: Where environments are on a worker.
USUAL_FOLDER = "~/.towline/environments"
#: What every Python job needs.
_ROOTS = ("towline", "jobflow")
_MODULES = ("jobflow", "towline.on_worker.run_job", "towline.jobflow.payload")
_NEWEST_MINOR = 14


@dataclass(frozen=True, slots=True)
class DeploymentRequest:
    """What a user asks for."""

    #: Program, path or version of the Python that the environment is made with; None is the one that fits best.
    python: str | None = None
    #: Folder for environments on the worker.
    folder: str = USUAL_FOLDER
    #: Further packages, or modules of them.
    packages: tuple[str, ...] = ()
    #: Whether everything is sent from here, and no index is asked.
    offline: bool = False
    #: Whether the packages of that Python are used as they are, and only missing ones are added.
    on_top: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """What will be, or was, put on a worker."""

    worker: str
    #: Python that the environment is made with, and its version.
    made_with: str
    python_version: str
    place: str
    #: Versions by name.
    packages: Mapping[str, str]
    #: Packages of that Python that stay, with other versions than here.
    kept: tuple[str, ...]
    #: Whether the environment was there already.
    was_there: bool
    #: Whether packages come from an index of the worker; None when nothing had to be installed, or only planned.
    from_index: bool | None = None
    #: Path of the Python for jobs; None when it was only planned.
    python: str | None = None
    #: The project file that names it now; None when it does not, and the user has to write it.
    project_file: Path | None = None


def deploy(
    project: Project,
    name: str,
    request: DeploymentRequest,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Deployment:
    """Make an environment for the Python jobs of a worker, and let the project use it.

    Parameters
    ----------
    dry_run
        Look, and say what would be done.
    progress
        Told about bytes that go over.
    say
        Told what is going on.

    Raises
    ------
    InvalidRequest
        The worker takes its Python from elsewhere, or a package is not here or cannot run there.
    WorkerError
        The worker cannot be reached, has no suitable Python, or something does not work there.
    """
    name, config = project.worker(name)
    _refuse_if_pointless(name, config)
    transport = transport_of(name, config)
    setup = shell_setup(project, config, None)
    try:
        say(f"looking for Python on {name}")
        plan, kept = _plan(transport, config, setup, request)
        found = Deployment(
            worker=name,
            made_with=str((plan.python.facts or {})["executable"]),
            python_version=plan.python.version,
            place=plan.place,
            packages={item.name: item.version for item in plan.packages},
            kept=kept,
            was_there=(python := finished_python(transport, plan)) is not None,
        )
        if dry_run:
            return found
        if python is None:
            found = replace(found, from_index=not request.offline and reaches_index(transport, setup, plan))
            with tempfile.TemporaryDirectory(prefix="towline-wheels-") as folder:
                python = make_environment(
                    transport, setup, plan, Path(folder), from_index=bool(found.from_index), progress=progress, say=say
                )
        note_use(project, transport, plan.place)
    finally:
        transport.close()
    return replace(found, python=python, project_file=_use(project, name, config, python))


def _refuse_if_pointless(name: str, config: WorkerConfig) -> None:
    if config.runs_here:
        raise InvalidRequest(f"the worker {name} is on this machine, and its jobs run with the Python of towline")
    if config.execution_cmd is not None:
        raise InvalidRequest(
            f"Python jobs of the worker {name} run with execution_cmd ({config.execution_cmd}); install towline in "
            "that container, or remove execution_cmd first"
        )


def _plan(
    transport: Transport, config: WorkerConfig, setup: ShellSetup, request: DeploymentRequest
) -> tuple[EnvironmentPlan, tuple[str, ...]]:
    python = choose(candidates(transport, setup, _words(config, request)), _first(config, request), transport.name)
    facts = python.facts or {}
    roots = [
        *_ROOTS,
        *(name for asked in (*config.preload, *request.packages) for name in distributions_named(asked)),
    ]
    needed = closure(roots, facts["markers"])
    packages = [package_of(distribution) for distribution in needed.distributions]
    kept: tuple[str, ...] = ()
    missing = needed.missing
    if request.on_top:
        there: Mapping[str, str] = facts["packages"]
        kept = tuple(
            f"{item.name} {there[item.name]} (here {item.version})"
            for item in packages
            if item.name in there and item.name not in MAIN_PACKAGES and there[item.name] != item.version
        )
        packages = [item for item in packages if _is_to_be_added(item, there)]
        missing = ()
    plan = EnvironmentPlan(
        folder=request.folder.rstrip("/") or "/",
        name=_environment_name(python, packages, on_top=request.on_top),
        python=python,
        packages=tuple(packages),
        missing=missing,
        on_top=request.on_top,
        modules=_MODULES,
    )
    return plan, kept


def _is_to_be_added(package: Package, there: Mapping[str, str]) -> bool:
    version = there.get(package.name)
    return version is None or (package.name in MAIN_PACKAGES and version != package.version)


def _environment_name(python: Candidate, packages: Sequence[Package], *, on_top: bool) -> str:
    """The same for the same packages and the same Python, so that nothing is made twice."""
    digest = hashlib.sha256(f"{(python.facts or {})['executable']} {python.version} {on_top}".encode())
    for item in packages:
        digest.update(f"{item.name}=={item.version} {'' if item.in_index else item.key}\n".encode())
    return f"python{'.'.join(map(str, python.minor))}-{digest.hexdigest()[:12]}"


def _first(config: WorkerConfig, request: DeploymentRequest) -> str | None:
    """The Python that is taken if it can be, before others."""
    if request.python is None:
        return config.python
    return f"python{request.python}" if request.python[:1].isdigit() else request.python


def _words(config: WorkerConfig, request: DeploymentRequest) -> list[str]:
    first = _first(config, request)
    if request.python is not None and first is not None:
        return [first]
    usual = [f"python3.{minor}" for minor in range(_NEWEST_MINOR, OLDEST_PYTHON[1] - 1, -1)]
    return list(dict.fromkeys([*([first] if first else []), python_of(config), *usual, "python3", "python"]))


def choose(found: Sequence[Candidate], first: str | None, worker: str) -> Candidate:
    """The Python that an environment is made with: that of the worker, else one like ours, else the newest.

    Raises
    ------
    WorkerError
        None of them can do it.
    """
    able = [item for item in found if item.facts is not None and item.facts["has_venv"]]
    if not able:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        seen = ", ".join(f"{item.path} is {item.version}" for item in found) or "no Python was found"
        raise WorkerError(
            f"{worker} has no Python that towline can use, which needs {oldest} or newer with the module venv: {seen}. "
            "Load a module in pre_run of the worker, name another one with --python, or install one there: "
            "uv python install 3.12"
        )
    if first is not None and able[0].position == 0:
        return able[0]
    same = [item for item in able if item.minor == sys.version_info[:2]]
    return same[0] if same else max(able, key=lambda item: item.minor)


def _use(project: Project, name: str, config: WorkerConfig, python: str) -> Path | None:
    """Write the Python into the project file; None when it cannot be written."""
    if config.python == python:
        return project.source
    if project.source is None:
        return None

    def change(document: dict[str, Any]) -> None:
        document["workers"][name]["python"] = python

    try:
        change_project(project.source, change)
    except ConfigurationError:
        return None
    return project.source
