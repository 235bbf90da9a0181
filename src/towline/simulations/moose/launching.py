"""How an input is run: by MOOSE or by the embedded solver, on one rank or several, as a script that leaves evidence."""

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from towline.errors import ConfigurationError
from towline.simulations.config_env import ConfigEnv
from towline.simulations.run_directory import EXIT_CODE, LOG, RESULTS, STARTS

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


def run_script(launch: Launch, input_name: str, folder: Path | None) -> str:
    """A script that runs an input, keeps what it prints in ``run.log`` and leaves its exit code in a file.

    Started again after a run that was interrupted, it goes on from the newest checkpoint that it finds: in its own
    folder, or brought there from the folder of the earlier start (see :data:`KEPT`). Interrupted twice without a new
    checkpoint it gives up, with :data:`STUCK`.

    Parameters
    ----------
    folder
        Where it runs. When None, it runs in the folder that it is started in, on another machine, and collects what is
        to come back in ``results``.
    """
    command = f'{shlex.join([*launch.command, "-i", input_name])} "$@"'
    stem = shlex.quote(Path(input_name).stem)
    here = [] if folder is None else [f"cd {shlex.quote(str(folder))} || exit 66"]
    lines = [
        "#!/bin/sh",
        f"# {launch.solver}",
        *here,
        *(_COLLECT if folder is None else _LEAVE),
        *_HOW_TO_BEGIN,
        f'if [ "$saved" = "{BEGINNING}" ]; then',
        "  # What an earlier try left would be taken for the results of this one.",
        f"  rm -f {stem}.csv {stem}_*.csv {stem}.e {stem}_*.e {stem}*.e-s*",
        f"  rm -rf {stem}*_cp",
        f"  : >{LOG}",
        "else",
        "  set -- --recover",
        f'  echo "towline: goes on from the checkpoint $saved" >>{LOG}',
        "fi",
        *(_if_there(launch.remote_application, command) if launch.remote_application else [f"{command} >>{LOG} 2>&1"]),
        "code=$?",
        f'echo "$code" >{EXIT_CODE}',
        "collect",
        'exit "$code"',
    ]
    return "\n".join(lines) + "\n"


#: Exit codes of a program that was killed from outside: it did not come to an end of its own.
KILLED = (137, 143)
#: Exit code of a script that was interrupted twice at the same place.
STUCK = 75
BEGINNING = "the beginning"
#: What a start on another machine brings along from the folder of the start before it.
KEPT = ("*_cp/*", "*.csv", "*.e", "*.e-s*", LOG, EXIT_CODE, STARTS)

#: Finds out whether an earlier start was interrupted, and where this one begins: ``saved``, as ``case_cp/0042``.
_HOW_TO_BEGIN = (
    f"saved='{BEGINNING}'",
    f"ended=$(cat {EXIT_CODE} 2>/dev/null || echo never)",
    f"rm -f {EXIT_CODE}",
    f'if [ -f {LOG} ] && case "$ended" in never|{"|".join(map(str, KILLED))}) true;; *) false;; esac; then',
    "  newest=$(ls -d *_cp/*-mesh.cp* *_cp/*-towline.npz 2>/dev/null |",
    "    sed 's|\\(/[0-9]*\\)-[^/]*$|\\1|' | sort -t / -k 2n | tail -n 1)",
    "  saved=${newest:-$saved}",
    f'  if [ "$(tail -n 2 {STARTS} | cut -d \' \' -f 2-)" = "$(echo "$saved"; echo "$saved")" ]; then',
    f'    echo "towline: interrupted twice without a new checkpoint since $saved" >>{LOG}',
    f"    echo {STUCK} >{EXIT_CODE}",
    "    collect",
    f"    exit {STUCK}",
    "  fi",
    "else",
    f"  rm -f {STARTS}",
    "fi",
    f'echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $saved" >>{STARTS}',
)


#: What comes back, under whatever names the input gave; an application may have made the folder itself.
_COLLECT = (
    "collect() {",
    f"  mkdir -p {RESULTS}",
    f"  for file in *.csv *.e *.e-s* *.exo {LOG} {EXIT_CODE} {STARTS} slurm-*.out; do",
    f'    if [ -f "$file" ]; then cp -p "$file" {RESULTS}/; fi',
    "  done",
    "}",
)
_LEAVE = ("collect() { :; }",)


def _if_there(application: str, command: str) -> list[str]:
    """Run a command if its executable is there; else show where it was looked for."""
    quoted = shlex.quote(application)
    return [
        f"if [ -x {quoted} ]; then",
        f"  {command} >>{LOG} 2>&1",
        "else",
        f'  {{ echo "MOOSE app MISSING: "{quoted}; ls -ld "$(dirname {quoted})"; }} >>{LOG} 2>&1',
        "  (exit 127)",
        "fi",
    ]
