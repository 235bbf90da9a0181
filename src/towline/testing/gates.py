"""Programs of a login node that stop where they are told, so that something can happen at exactly that moment.

They stand before the real ones in the PATH of the node and run these; a point is ``<program>-before`` or
``<program>-after``. `unpack` and `pack` are the two uses of tar, `start` is a job that starts without a scheduler.
"""

import os
import shutil
from pathlib import Path
from textwrap import dedent

from towline.testing.debian import SYSTEM_PATH
from towline.testing.waiting import wait_until

#: Nothing waits longer than this for who forgot to open.
_LONGEST_SECONDS = 30

_PROGRAMS = {
    "tar": 'case " $* " in *" -xof "*) point=unpack;; *" -cf "*) point=pack;; esac',
    "sbatch": "point=sbatch",
    "squeue": "point=squeue",
    "sacct": "point=sacct",
    "setsid": "point=start",
}

_GATE = """\
    #!/bin/sh
    point=none
    {point}
    gate() {{
      [ -e "{folder}/closed/$1" ] && mv "{folder}/closed/$1" "{folder}/reached/$1" 2>/dev/null || return
      tries=0
      while [ -e "{folder}/reached/$1" ] && [ $tries -lt {tries} ]; do sleep 0.02; tries=$((tries + 1)); done
    }}
    gate $point-before
    [ -e "{folder}/closed/$point-after" ] || exec {program} "$@"
    {program} "$@"
    code=$?
    gate $point-after
    exit $code
"""


class Gates:
    """The programs, and what tells them.

    Parameters
    ----------
    folder
        Made here; every user may enter and write it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("bin", "closed", "reached"):
            (folder / name).mkdir(parents=True)
            (folder / name).chmod(0o777)
        for name, point in _PROGRAMS.items():
            program = shutil.which(name, path=SYSTEM_PATH)
            if program is None:
                continue
            path = folder / "bin" / name
            tries = _LONGEST_SECONDS * 50
            path.write_text(dedent(_GATE).format(point=point, folder=folder, program=program, tries=tries))
            path.chmod(0o755)

    @property
    def search_path(self) -> str:
        """The PATH of a node with these programs."""
        return f"{self._folder}/bin:{SYSTEM_PATH}"

    def close(self, point: str) -> None:
        """The next one that comes to this point stops there."""
        path = self._folder / "closed" / point
        path.touch()
        # Whoever runs the program moves it away.
        os.chmod(path, 0o666)  # noqa: PTH101

    def wait(self, point: str, seconds: float = 30.0) -> None:
        """Wait until somebody has stopped there."""
        wait_until((self._folder / "reached" / point).exists, seconds, f"somebody at the gate {point}")

    def open(self, point: str) -> None:
        """Let who has stopped there go on, and everybody after it."""
        for name in ("closed", "reached"):
            (self._folder / name / point).unlink(missing_ok=True)

    def open_all(self) -> None:
        """Let everybody go on."""
        for name in ("closed", "reached"):
            for path in (self._folder / name).iterdir():
                path.unlink(missing_ok=True)
