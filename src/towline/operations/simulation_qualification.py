"""Whether a solver, cells and steps are good enough for a material: a problem with a known answer, run at once."""

import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from towline.errors import InvalidRequest, WorkerError
from towline.operations.simulation_planning import Planned, input_problems
from towline.operations.simulation_records import runs_folder
from towline.simulations.application import CheckResult
from towline.simulations.config_env import ConfigEnv
from towline.simulations.moose.launching import local_launch
from towline.simulations.run_directory import LOG

#: Of the files.
_NAME = "qualification"
_SHOWN_LINES = 12


@dataclass(frozen=True)
class Qualified:
    """What a solver made of a problem with a known answer."""

    check: CheckResult
    solver: str
    folder: Path
    seconds: float


def qualify(planned: Planned, config: ConfigEnv) -> Qualified:
    """Run the problem of a physics with the cells, steps and tolerances of a case, on this machine.

    Raises
    ------
    InvalidRequest
        The physics knows no such problem, the case is for a cluster, or the folder cannot be made.
    ConfigurationError
        The executable is missing.
    WorkerError
        The program failed; with the end of its log.
    """
    application, case = planned.application, planned.case
    if config.backend != "local":
        raise InvalidRequest(
            "a solver is qualified where it is: run this on the cluster, or with --env EXECUTION_BACKEND=local"
        )
    ranks = int(case.number("mpi")) if "mpi" in case.values else 1
    launch = local_launch(config, application.executable_key, ranks)
    text = application.qualification_input(case, _NAME)
    problems = input_problems(text, f"{_NAME}.i")
    if problems:
        raise InvalidRequest(f"the input of {application.name} has mistakes:\n" + "\n".join(problems))
    folder = _folder(runs_folder(config), application.name)
    (folder / f"{_NAME}.i").write_text(text, encoding="utf-8")
    began = time.monotonic()
    with (folder / LOG).open("w") as log:
        done = subprocess.run([*launch.command, "-i", f"{_NAME}.i"], cwd=folder, stdout=log, stderr=log, check=False)
    if done.returncode:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
        raise WorkerError(f"{launch.solver} ended with exit code {done.returncode} in {folder}:\n" + "\n".join(lines))
    check = application.qualification_check(case, folder / f"{_NAME}.csv")
    return Qualified(check, launch.solver, folder, time.monotonic() - began)


def _folder(runs_dir: Path, physics: str) -> Path:
    now = datetime.now(UTC).astimezone()
    folder = runs_dir / "qualifications" / f"{now:%Y%m%d_%H%M%S_%f}__{physics}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InvalidRequest(f"{folder} cannot be made: {error.strerror}; RUNS_DIR names another folder") from error
    return folder
