"""Making an environment on a worker: wheels are sent that are not there yet, and the program installs them."""

import math
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from towline.core.records import ShellSetup
from towline.errors import InvalidRequest, WorkerError
from towline.on_worker.environment_program import RECORD_FILE
from towline.workers.environments.looking import Candidate, answer_of, run_program
from towline.workers.environments.packages import Package
from towline.workers.environments.wheels import file_name, runs_on, write_wheel
from towline.workers.transports.shell_text import path_text
from towline.workers.transports.transport import Progress, Transport, Tree

#: What is sent in one piece: after a cut the next attempt goes on with the next piece.
_PIECE_BYTES = 16_000_000
_WHEELS = "wheels"
_REACH_SECONDS = 60.0
_SHOWN_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """An environment that is to be made."""

    #: Folder of all environments, and of the wheels; may begin with ``~/``.
    folder: str
    #: Name of the environment in it.
    name: str
    python: Candidate
    #: What is installed, with what it needs.
    packages: tuple[Package, ...]
    #: Requirements that only the worker has, with the package that asks.
    missing: tuple[str, ...]
    #: Whether the packages of that Python are seen too.
    on_top: bool
    #: Modules that are imported to see whether it works.
    modules: tuple[str, ...]

    @property
    def place(self) -> str:
        """Folder of the environment."""
        return f"{self.folder}/{self.name}"


def reaches_index(transport: Transport, setup: ShellSetup, plan: EnvironmentPlan) -> bool:
    """Whether the worker can install packages from an index."""
    facts = plan.python.facts or {}
    public = [package for package in plan.packages if package.in_index]
    if not public or not (facts["has_pip"] or facts["uv"]):
        return False
    smallest = min(public, key=lambda package: package.size)
    pin = shlex.quote(f"{smallest.name}=={smallest.version}")
    command = f'{shlex.quote(facts["executable"])} "$towline_program" reach {pin}'
    answer = run_program(transport, setup, command, timeout_seconds=_REACH_SECONDS)
    return bool(answer_of(transport, answer).get("reached"))


def finished_python(transport: Transport, plan: EnvironmentPlan) -> str | None:
    """Path of the Python of the environment, when that is there and complete."""
    complete = f'test -e {RECORD_FILE} && test -x bin/python && printf %s "$PWD"'
    answer = transport.run(f"cd -- {path_text(plan.place)} 2>/dev/null && {complete}")
    return f"{answer.stdout.decode(errors='surrogateescape')}/bin/python" if answer.exit_code == 0 else None


def make_environment(
    transport: Transport,
    setup: ShellSetup,
    plan: EnvironmentPlan,
    work_folder: Path,
    *,
    from_index: bool,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """Make the environment, unless it is there; return the path of its Python.

    Parameters
    ----------
    work_folder
        On this machine, for wheels on their way.
    from_index
        Whether the worker installs what an index has from there; otherwise everything is sent.

    Raises
    ------
    WorkerError
        Something does not work there; an environment that was there before is as it was.
    InvalidRequest
        A package of this machine cannot run there, and no other build of it can be had.
    """
    sent = [package for package in plan.packages if not (from_index and package.in_index)]
    if plan.missing and not from_index:
        raise InvalidRequest(
            f"{transport.name} needs what is not installed here: {', '.join(plan.missing)}; install it here too, or "
            f"choose another Python there with --python"
        )
    wheels = _send(transport, plan, sent, work_folder, progress, say)
    specification = {
        "place": plan.place,
        "on_top": plan.on_top,
        "from_index": from_index,
        # What there is besides is used as it is, whatever these say of it.
        "with_dependencies": not plan.on_top,
        "wheels": [f"{plan.folder}/{_WHEELS}/{wheel}" for wheel in wheels],
        "wheels_folder": f"{plan.folder}/{_WHEELS}",
        "requirements": [f"{item.name}=={item.version}" for item in plan.packages if item not in sent],
        "packages": {item.name: item.version for item in plan.packages},
        "versions": [f"{item.name}=={item.version}" for item in plan.packages],
        "modules": list(plan.modules),
    }
    say(f"installing {_counted(len(plan.packages))}")
    return _install(transport, setup, plan, specification)


def _install(transport: Transport, setup: ShellSetup, plan: EnvironmentPlan, specification: Mapping[str, Any]) -> str:
    python = str((plan.python.facts or {})["executable"])
    text = orjson.dumps(specification).decode()
    command = (
        f'printf %s {shlex.quote(text)} >"$towline_program.json"\n'
        f'{shlex.quote(python)} "$towline_program" install "$towline_program.json"'
    )
    # It takes as long as it takes, and gives signs of life.
    result = run_program(transport, setup, command, timeout_seconds=math.inf)
    answer = answer_of(transport, result)
    if "refused" in answer:
        raise WorkerError(f"{transport.name}: {plan.place} cannot be made: {answer['refused']}")
    return str(answer["python"])


def _send(
    transport: Transport,
    plan: EnvironmentPlan,
    packages: Sequence[Package],
    work_folder: Path,
    progress: Progress | None,
    say: Callable[[str], None],
) -> list[str]:
    """Have the wheels of these packages there; return their paths in the folder of wheels."""
    tags = (plan.python.facts or {})["tags"]
    foreign = [package for package in packages if not runs_on(package, tags)]
    own = [package for package in packages if package not in foreign]
    wanted = {f"{package.key}/{file_name(package)}": package for package in own}
    there = _present(transport, f"{plan.folder}/{_WHEELS}", list(wanted))
    trees: list[tuple[Tree, int]] = []
    if len(there) < len(wanted):
        say(f"packing {_counted(len(wanted) - len(there))}")
    for path, package in wanted.items():
        if path not in there:
            wheel = write_wheel(package, work_folder)
            trees.append((Tree(path, wheel), wheel.stat().st_size))
    downloaded = _downloaded(foreign, tags, work_folder / "downloaded") if foreign else []
    for wheel in downloaded:
        trees.append((Tree(f"downloaded/{wheel.name}", wheel), wheel.stat().st_size))
    if trees:
        say(f"sending {sum(size for _, size in trees) / 1e6:.0f} MB")
    _send_in_pieces(transport, f"{plan.folder}/{_WHEELS}", trees, progress)
    return [*wanted, *(f"downloaded/{wheel.name}" for wheel in downloaded)]


def _counted(packages: int) -> str:
    return "1 package" if packages == 1 else f"{packages} packages"


def _present(transport: Transport, folder: str, paths: Sequence[str]) -> set[str]:
    script = 'cd -- "$1" 2>/dev/null || exit 0\nshift\nfor path do if [ -e "$path" ]; then echo "$path"; fi; done\n'
    # The folder may begin with ~/, which only the shell knows.
    answer = transport.run(f"set -- {path_text(folder)} {shlex.join(paths)}\n{script}")
    return set(answer.stdout.decode(errors="replace").splitlines())


def _send_in_pieces(
    transport: Transport, folder: str, trees: Sequence[tuple[Tree, int]], progress: Progress | None
) -> None:
    total = sum(size for _, size in trees)
    done = 0
    piece: list[Tree] = []
    piece_bytes = 0
    for position, (tree, size) in enumerate(trees):
        piece.append(tree)
        piece_bytes += size
        if piece_bytes >= _PIECE_BYTES or position + 1 == len(trees):
            transport.send(folder, piece, progress=None if progress is None else partial(_told, progress, done, total))
            done += piece_bytes
            piece, piece_bytes = [], 0


def _told(progress: Progress, before: int, total: int, done: int, _: int | None) -> None:
    progress(before + done, total)


def _downloaded(packages: Sequence[Package], tags: Sequence[str], folder: Path) -> list[Path]:
    """Builds of packages for another machine, from the index of this one.

    Raises
    ------
    InvalidRequest
        There are none, or no index can be reached from here either.
    """
    folder.mkdir(exist_ok=True)
    # The one that fits best is the first.
    interpreter, abi, _ = tags[0].split("-", 2)
    platforms = sorted({tag.split("-", 2)[2] for tag in tags} - {"any"})
    options = ["--no-deps", "--only-binary=:all:", "--dest", str(folder), "--implementation", "cp", "--abi", abi]
    options += ["--abi", "abi3", "--abi", "none", "--python-version", interpreter.removeprefix("cp")]
    for platform in platforms:
        options += ["--platform", platform]
    pins = [f"{package.name}=={package.version}" for package in packages]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *options, *pins],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-_SHOWN_CHARACTERS:]
        raise InvalidRequest(
            f"{', '.join(pins)} as installed here cannot run on the worker ({interpreter} on {platforms[0]}), and no "
            f"other build can be had: {said}\nChoose a Python there like the one here with --python, or one with other "
            "packages"
        )
    return sorted(folder.glob("*.whl"))
