"""A Python that another account can run, with what is installed here, for jobs of tests on servers of this machine."""

import os
import pwd
import shutil
import site
import subprocess
import sys
from pathlib import Path

import towline
from towline.testing.debian import JOB_USER, NotPossibleHere

_PROBE = "import orjson, towline.on_worker.run_job"


def account_python(folder: Path, account: str = JOB_USER) -> Path:
    """A program in `folder` that is such a Python: this interpreter, or one of the system of the same version.

    Raises
    ------
    NotPossibleHere
        There is none that the account may run.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    paths = [str(Path(towline.__file__).parent.parent), *site.getsitepackages()]
    program = folder / "python"
    for candidate in (os.path.realpath(sys.executable), f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{":".join(paths)}" exec {candidate} "$@"\n')
        program.chmod(0o755)
        if shutil.which(candidate) and _works(program, account):
            return program
    raise NotPossibleHere(f"{account} can run no {version}; install one for all users")


def _works(program: Path, account: str) -> bool:
    entry = pwd.getpwnam(account)
    done = subprocess.run(
        [str(program), "-P", "-c", _PROBE],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
        cwd="/",
        user=entry.pw_uid,
        group=entry.pw_gid,
        env={"HOME": entry.pw_dir, "PATH": "/usr/bin:/bin"},
    )
    return done.returncode == 0
