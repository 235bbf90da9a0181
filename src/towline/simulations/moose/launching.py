"""How an input is run: by MOOSE or by the embedded solver, on one rank or several, as a script that leaves evidence."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from towline.errors import ConfigurationError
from towline.simulations.config_env import ConfigEnv
from towline.simulations.run_directory import EXIT_CODE, LOG, RESULTS

EMBEDDED = "embedded solver of towline (not MOOSE)"


@dataclass(frozen=True)
class Launch:
    """What runs an input."""

    #: What it is, for people.
    solver: str
    #: The program and its arguments, before ``-i``.
    command: tuple[str, ...]
    #: Worth telling, as that several ranks have no meaning.
    notes: tuple[str, ...] = ()
    #: The executable on the other machine; empty when it runs here.
    remote_application: str = ""

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded solver runs it."""
        return self.solver == EMBEDDED


def local_launch(config: ConfigEnv, executable_key: str, ranks: int) -> Launch:
    """What runs an input on this machine: the executable of the configuration, or the embedded solver without one.

    Parameters
    ----------
    executable_key
        The key of the configuration that names the executable.
    ranks
        How many ranks of MPI.

    Raises
    ------
    ConfigurationError
        The executable is not there; or several ranks are wanted and there is no mpiexec.
    """
    named = config.get(executable_key)
    if not named:
        notes = (f"mpi = {ranks} has no meaning for the embedded solver: it runs in one process",) if ranks > 1 else ()
        return Launch(EMBEDDED, embedded_command(), notes)
    found = shutil.which(str(Path(named).expanduser()))
    if found is None:
        raise ConfigurationError(
            f"{executable_key} is {named!r} ({config.origin(executable_key)}), which is no executable file here; "
            f"correct it, or leave {executable_key} empty to use the embedded solver"
        )
    program = str(Path(found).resolve())
    if ranks == 1:
        return Launch(f"MOOSE ({Path(program).name})", (program,))
    launcher = shutil.which("mpiexec")
    if launcher is None:
        raise ConfigurationError(
            f"mpi is {ranks}, and there is no mpiexec on this machine; install an MPI, or give mpi=1 to run on one rank"
        )
    return Launch(f"MOOSE ({Path(program).name}, {ranks} ranks)", (launcher, "-n", str(ranks), program))


def embedded_command() -> tuple[str, ...]:
    """The embedded solver that belongs to this Python."""
    beside = Path(sys.executable).with_name("towline-phasefield")
    if beside.is_file():
        return (str(beside),)
    return (sys.executable, "-c", "from towline.simulations.moose.command import run; run()")


def run_script(launch: Launch, input_name: str, folder: Path | None, overrides: Sequence[str] = ()) -> str:
    """A script that runs an input, keeps what it prints in ``run.log`` and leaves its exit code in a file.

    Parameters
    ----------
    folder
        Where it runs. When None, it runs in the folder that it is started in, on another machine, and collects what is
        to come back in ``results``.
    overrides
        Values that replace those of the input, and options.
    """
    command = shlex.join([*launch.command, "-i", input_name, *overrides])
    stem = shlex.quote(Path(input_name).stem)
    here = [] if folder is None else [f"cd {shlex.quote(str(folder))} || exit 66"]
    lines = [
        "#!/bin/sh",
        f"# {launch.solver}",
        *here,
        "# What an earlier try left would be taken for the results of this one.",
        f"rm -f {EXIT_CODE} {stem}.csv {stem}_*.csv {stem}.e {stem}_*.e {stem}*.e-s*",
        *(_if_there(launch.remote_application, command) if launch.remote_application else [f"{command} >{LOG} 2>&1"]),
        "code=$?",
        f'echo "$code" >{EXIT_CODE}',
        *(_COLLECT if folder is None else ()),
        'exit "$code"',
    ]
    return "\n".join(lines) + "\n"


#: What comes back, under whatever names the input gave; an application may have made the folder itself.
_COLLECT = (
    f"mkdir -p {RESULTS}",
    f"for file in *.csv *.e *.e-s* *.exo {LOG} {EXIT_CODE} slurm-*.out; do",
    f'  if [ -f "$file" ]; then cp -p "$file" {RESULTS}/; fi',
    "done",
)


def _if_there(application: str, command: str) -> list[str]:
    """Run a command if its executable is there; else show where it was looked for."""
    quoted = shlex.quote(application)
    return [
        f"if [ -x {quoted} ]; then",
        f"  {command} >{LOG} 2>&1",
        "else",
        f'  {{ echo "MOOSE app MISSING: "{quoted}; ls -ld "$(dirname {quoted})"; }} >{LOG} 2>&1',
        "  (exit 127)",
        "fi",
    ]
