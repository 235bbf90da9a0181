"""Looking at the Pythons of a worker, with the program that travels there."""

import io
import json
import shlex
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import installer
import packaging

from towline.core.records import ShellSetup
from towline.errors import WorkerError
from towline.on_worker import environment_program
from towline.on_worker.environment_program import ANSWER, OLDEST_PYTHON
from towline.workers.environments.job_shell import in_job_shell
from towline.workers.transports.transport import ScriptResult, Transport

_CANDIDATE = "@towline candidate "
_UV_FINDS = f">={OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}"
_LOOK = f"""towline_look() {{
  towline_python=$(command -v -- "$2") || return 0
  towline_version=$("$towline_python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || return 0
  towline_file=$("$towline_python" -c 'import os, sys; print(os.path.realpath(sys.executable), sys.prefix)')
  case "$towline_seen" in *"<$towline_file>"*) return 0;; esac
  towline_seen="$towline_seen<$towline_file>"
  printf '\\n{_CANDIDATE}%s %s %s\\n' "$1" "$towline_version" "$towline_python"
  if "$towline_python" -c 'import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})'; then
    "$towline_python" "$towline_program" probe
  fi
}}
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A Python of a worker."""

    path: str
    version: str
    #: What the program found out; None when this Python is too old, or cannot run the program.
    facts: Mapping[str, Any] | None
    #: Which of the programs that were asked for it is, from 0.
    position: int = 0

    @property
    def minor(self) -> tuple[int, ...]:
        """Major and minor version."""
        return tuple(int(part) for part in self.version.split(".")[:2])


def program_archive() -> bytes:
    """The program for the worker, with the libraries that it needs."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__main__.py", Path(environment_program.__file__).read_bytes())
        for library in (installer, packaging):
            folder = Path(str(library.__file__)).parent
            for file in sorted(folder.rglob("*.py")):
                archive.writestr(f"{folder.name}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    return content.getvalue()


def candidates(transport: Transport, setup: ShellSetup, words: Sequence[str]) -> list[Candidate]:
    """The Pythons of a worker among these programs, as its jobs would find them, and the one that uv knows.

    Raises
    ------
    WorkerError
        The shell lines before a job do not work there.
    """
    looks = "\n".join(f"towline_look {position} {shlex.quote(word)}" for position, word in enumerate(words))
    find = f"towline_look {len(words)} \"$(uv python find '{_UV_FINDS}' 2>/dev/null)\""
    finds = f"if command -v uv >/dev/null; then {find}; fi"
    answer = run_program(transport, setup, f"{_LOOK}{looks}\n{finds}\necho; echo '{_CANDIDATE}'\n")
    found: list[Candidate] = []
    lines = answer.stdout.decode(errors="replace").splitlines()
    if not any(line.startswith(_CANDIDATE.strip()) for line in lines):
        raise WorkerError(f"{transport.name}: the shell lines before a job do not work: {answer.last_words}")
    for line in lines:
        if line.startswith(_CANDIDATE) and line != _CANDIDATE:
            position, version, path = line.removeprefix(_CANDIDATE).split(" ", 2)
            found.append(Candidate(path, version, None, int(position)))
        elif line.startswith(ANSWER) and found:
            found[-1] = replace(found[-1], facts=json.loads(line.removeprefix(ANSWER)))
    return found


def run_program(
    transport: Transport, setup: ShellSetup, command: str, *, timeout_seconds: float | None = None
) -> ScriptResult:
    """Run shell lines that find the program in ``$towline_program``, where a job of this setup would run."""
    script = (
        "towline_folder=$(mktemp -d) || exit 1\ntrap 'rm -rf -- \"$towline_folder\"' EXIT\n"
        "trap 'exit 1' HUP INT PIPE TERM\n"
        'export towline_program=$towline_folder/program.zip\ncat >"$towline_program"\n'
    )
    return transport.run(
        script + in_job_shell(setup, command), stdin=program_archive(), timeout_seconds=timeout_seconds
    )


def answer_of(transport: Transport, result: ScriptResult) -> Mapping[str, Any]:
    """What the program answered.

    Raises
    ------
    WorkerError
        It did not get that far.
    """
    lines = [line for line in result.stdout.decode(errors="replace").splitlines() if line.startswith(ANSWER)]
    if not lines:
        raise WorkerError(f"{transport.name}: Python ended there without an answer: {result.last_words}")
    found: Mapping[str, Any] = json.loads(lines[-1].removeprefix(ANSWER))
    return found
