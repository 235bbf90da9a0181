"""What a job on this machine would see: its Python and its packages, after the shell lines of its worker."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from towline.core.records import ShellSetup
from towline.errors import WorkerError

#: Packages whose versions decide whether a job can read what was submitted.
MAIN_PACKAGES = ("towline", "jobflow", "maggma", "pydantic")

_MARK = "towline environment: "
#: Reads the modules to import from its arguments, as a job would import them.
_PROGRAM = f"""
import importlib, json, platform, sys
from importlib import metadata
for name in sys.argv[1:]:
    importlib.import_module(name)
packages = {{(item.metadata["Name"] or "").lower(): item.version for item in metadata.distributions()}}
print({_MARK!r} + json.dumps({{"python": platform.python_version(), "packages": packages}}))
"""
#: Lines of what the program printed that go into the details of an error.
_SHOWN_LINES = 30


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python and what is installed for it."""

    python: str
    #: Versions by name in small letters.
    packages: Mapping[str, str]


def own_environment() -> Environment:
    """The environment of this process."""
    packages = {(item.metadata["Name"] or "").lower(): item.version for item in metadata.distributions()}
    return Environment(".".join(map(str, sys.version_info[:3])), packages)


def environment_of(setup: ShellSetup, modules: Sequence[str], *, timeout_seconds: float) -> Environment:
    """The environment of a job with these shell lines, found out by running them.

    Parameters
    ----------
    modules
        Python modules that the job needs; they are imported.

    Raises
    ------
    WorkerError
        The shell lines or an import failed, or took too long.
    """
    command = probe_words(sys.executable, modules)
    if setup.needs_shell:
        # Everything that is not the user's own shell text travels as an argument, so that nothing needs quoting.
        loads = [f'module load "${{{number}}}" || exit 1' for number in range(1, len(setup.modules) + 1)]
        shift = f"shift {len(setup.modules)}"
        script = "\n".join([*setup.pre_run, *loads, shift, 'exec "$@"'])
        command = ["bash", "-c", script, "bash", *setup.modules, *command]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **setup.export},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"the shell lines before a job took longer than {timeout_seconds:g} s") from error
    except OSError as error:
        raise WorkerError(f"{command[0]} cannot be started: {error.strerror}") from error
    seen = read_environment(done.stdout)
    if seen is None:
        lines = done.stderr.strip().splitlines() or ["no output"]
        problem = WorkerError(
            f"Python did not run with the shell lines of a job (exit code {done.returncode}): {lines[-1]}"
        )
        problem.add_note("\n".join(lines[-_SHOWN_LINES:]))
        raise problem
    return seen


def probe_words(python: str, modules: Sequence[str]) -> list[str]:
    """The command that prints what :func:`read_environment` reads, after importing these modules."""
    return [python, "-c", _PROGRAM, *modules]


def read_environment(output: str) -> Environment | None:
    """The environment that a probe printed; None when it did not get that far."""
    answers = [line for line in output.splitlines() if line.startswith(_MARK)]
    return Environment(**json.loads(answers[-1].removeprefix(_MARK))) if answers else None


def differences(one: Environment, other: Environment, names: Collection[str] | None) -> list[str]:
    """What `other` has in another version, for people: ``jobflow 0.1.9 (here 0.2.1)``.

    Parameters
    ----------
    names
        The packages to compare, and of Python the first two numbers; None for all of either side.
    """
    compared = sorted({*one.packages, *other.packages} if names is None else names)
    # Releases of one minor version read each other's data and compiled packages.
    parts = 2 if names is not None else 3
    same = one.python.split(".")[:parts] == other.python.split(".")[:parts]
    result = [] if same else [f"Python {other.python} (here {one.python})"]
    for name in compared:
        here, there = one.packages.get(name), other.packages.get(name)
        if here != there:
            result.append(f"{name} {there or 'missing'} (here {here or 'missing'})")
    return result
