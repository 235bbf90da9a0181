"""What the environment of jobs has to have in common with the one that submits them."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import towline
from towline.core.records import FORMAT_VERSION, ShellSetup
from towline.on_worker.environment_program import OLDEST_PYTHON
from towline.workers.environments.job_shell import in_job_shell
from towline.workers.transports.transport import Transport

_REACHED = "@towline reached"
_FACTS = "@towline facts "
#: Imports next to nothing: this runs before the first job, which waits for it.
_PROGRAM = f"""
import json, sys
from importlib import metadata
facts = {{"python": list(sys.version_info[:3]), "executable": sys.executable}}
try:
    import towline
    from towline.core.records import FORMAT_VERSION
    facts.update(towline=towline.__version__, format=FORMAT_VERSION)
except Exception as error:
    facts["problem"] = f"{{type(error).__name__}}: {{error}}"
try:
    facts["jobflow"] = metadata.version("jobflow")
except metadata.PackageNotFoundError:
    pass
print({_FACTS!r} + json.dumps(facts))
"""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What jobs were written with."""

    towline: str
    #: Version of the files that travel.
    format: int
    jobflow: str


def own_expectation() -> Expectation:
    """What this process writes jobs with."""
    return Expectation(towline.__version__, FORMAT_VERSION, metadata.version("jobflow"))


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a look."""

    #: What the Python of the jobs says of itself; None when it said nothing.
    facts: Mapping[str, Any] | None
    #: Whether the shell lines before it came to their end.
    reached: bool
    #: What was printed last.
    said: str


def look(transport: Transport, python: str, setup: ShellSetup) -> Seen:
    """Ask the Python that jobs of this setup would run with.

    Raises
    ------
    WorkerError
        The worker does not answer.
    """
    command = f"echo; echo '{_REACHED}'\nexec {shlex.join([python, '-c', _PROGRAM])}"
    answer = transport.run(in_job_shell(setup, command))
    lines = answer.stdout.decode(errors="replace").splitlines()
    told = [line for line in lines if line.startswith(_FACTS)]
    facts = json.loads(told[-1].removeprefix(_FACTS)) if told else None
    return Seen(facts, _REACHED in lines, (answer.last_words.splitlines() or ["it said nothing"])[-1])


def mismatch(facts: Mapping[str, Any], expected: Expectation) -> str | None:
    """Why jobs of here cannot run there; None when they can."""
    python = ".".join(map(str, facts["python"]))
    if tuple(facts["python"][:2]) < OLDEST_PYTHON:
        return f"has Python {python} ({facts['executable']}), and towline needs {'.'.join(map(str, OLDEST_PYTHON))}"
    if "towline" not in facts:
        return f"has no towline that works in {facts['executable']} ({facts['problem']})"
    if facts["format"] != expected.format or _release(facts["towline"]) != _release(expected.towline):
        return f"has towline {facts['towline']} in {facts['executable']}, and this machine {expected.towline}"
    if "jobflow" not in facts:
        return f"has no jobflow in {facts['executable']}"
    if _release(facts["jobflow"]) != _release(expected.jobflow):
        return f"has jobflow {facts['jobflow']} in {facts['executable']}, and this machine {expected.jobflow}"
    return None


def _release(version: str) -> list[str]:
    """What two versions have in common that read each other's documents: 0.4.1 and 0.4.0, not 0.3.9."""
    return version.split(".")[:2]
