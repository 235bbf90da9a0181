"""A login on a machine where a program plays OpenPBS."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from towline.testing import pbs_program


class PbsSite:
    """A login on a machine with the program.

    Parameters
    ----------
    folder
        For its state, the programs and the run folders.
    """

    def __init__(self, folder: Path, *, history: bool = True, processors: int = 4) -> None:
        self.folder = folder
        self._state = folder / "pbs"
        (self._state / "jobs").mkdir(parents=True)
        (folder / "bin").mkdir()
        for name in ("qsub", "qstat", "qdel"):
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {pbs_program.__file__} {name} "$@"\n')
            program.chmod(0o755)
        self.environment = {"PLAY_PBS": str(self._state), "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        self.set(history=history, processors=processors, down=False)

    def set(self, **settings: Any) -> None:
        """Change `history`, `processors` or `down`."""
        file = self._state / "settings.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps({**known, **settings}))

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run shell text on the login node."""
        return subprocess.run(
            ["bash", "-s"],
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            cwd=self.folder,
            env={**os.environ, **self.environment},
        )

    def work_dir(self, name: str) -> Path:
        """A new folder for run folders."""
        folder = self.folder / "work" / name
        folder.mkdir(parents=True)
        return folder

    def stop(self) -> None:
        """End all jobs."""
        for file in (self._state / "jobs").glob("*.json"):
            pid = json.loads(file.read_text()).get("session_id")
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
