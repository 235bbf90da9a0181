"""Scripts of users as real processes, and workers that have never seen them."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towline.core.records import NewFlow

#: Ends every script: what submit_flow would store, in a file.
SUBMIT = """
import os, pickle
from towline.jobflow.convert import flow_to_records
with open(os.environ["RECORDS"], "wb") as file:
    pickle.dump(flow_to_records(flow), file)
"""

#: A worker: runs every flow in the files it is given, one after the other in this one process.
WORK = """
import pickle, sys
from towline.testing.jobflow_engine import Engine
done = []
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        flow = pickle.load(file)
    engine = Engine().run(flow.jobs)
    failures = [(job.new.name, job.result.failure) for job in engine.jobs if job.result and job.result.failure]
    outputs = [(document["name"], document["index"], document["output"]) for document in engine.documents]
    done.append((outputs, failures))
with open("done", "wb") as file:
    pickle.dump(done, file)
"""


def python(arguments: list[str], folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= options.pop("environment", {})
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


class Scripts:
    """Runs scripts in a folder of theirs, and workers in another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "user"
        self.folder.mkdir()
        self.elsewhere = folder / "worker"
        self.elsewhere.mkdir()
        self._number = 0

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, text: str, how: str = "file", expect_error: bool = False) -> str:
        """Run a script that makes `flow`; return the name of the file with the records, or the error."""
        self._number += 1
        records = self.elsewhere / f"records{self._number}"
        environment = {"RECORDS": str(records)}
        if how == "file":
            path = self.write(f"script{self._number}.py", text + SUBMIT)
            done = python([str(path)], self.elsewhere, environment=environment)
        elif how == "-c":
            done = python(["-c", text + SUBMIT], self.folder, environment=environment)
        else:
            done = python(["-"], self.folder, environment=environment, input=text + SUBMIT)
        assert (done.returncode != 0) == expect_error, done.stderr
        return done.stderr if expect_error else str(records)

    def work(self, *records: str) -> list[tuple[list[tuple[str, int, Any]], list[Any]]]:
        """Run flows in one process that knows nothing of the scripts; return outputs and failures of each."""
        done = python(["-c", WORK, *records], self.elsewhere)
        assert done.returncode == 0, done.stderr
        found: list[tuple[list[tuple[str, int, Any]], list[Any]]] = pickle.loads((self.elsewhere / "done").read_bytes())
        return found

    def outputs(self, records: str) -> dict[str, Any]:
        """Outputs by the names of the jobs."""
        ((outputs, failures),) = self.work(records)
        assert failures == []
        return {name: output for name, _, output in outputs}


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


@pytest.fixture
def load_records() -> Callable[[str], NewFlow]:
    def load(name: str) -> NewFlow:
        found = pickle.loads(Path(name).read_bytes())
        assert isinstance(found, NewFlow)
        return found

    return load
