"""Jobs that are defined where there is no file to import: a notebook, a script from standard input, a prompt."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from towline.testing.processes import end_workers

DEFINE = """
from dataclasses import dataclass
from jobflow import Flow, Maker, job
import towline

FACTOR = 10

@dataclass
class Scale(Maker):
    name: str = "scale"
    by: float = 2

    @job
    def make(self, number):
        return self.by * number * FACTOR

@job
def add(a, b):
    return a + b
"""

SUBMIT = """
first = add(1, 2)
second = Scale(by=3).make(first.output)
ids = towline.submit_flow(Flow([first, second]))
"""

RUN_AND_SHOW = """
towline.Runner().run_all_jobs(max_seconds=100)
assert towline.wait_flow(ids, timeout_seconds=100)
with towline.JobController.from_project_name() as controller:
    print("outputs", [controller.get_job_output(db_id=db_id) for db_id in ids])
"""

#: What the prompt is told in one go; an empty line ends a definition there.
TYPED = (DEFINE + "\n" + SUBMIT + RUN_AND_SHOW + "\n").replace("\n\n    @job", "\n    @job")


@pytest.fixture
def surroundings(tmp_path: Path) -> Iterator[dict[str, str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOWLINE_", "PYTHON"))}
    yield {**kept, "HOME": str(tmp_path), "TOWLINE_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}
    end_workers(tmp_path)


def told(arguments: list[str], text: str, folder: Path, surroundings: Mapping[str, str]) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, input=text, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return f"{done.stdout}\n{done.stderr}"


def run_notebook(cells: list[str], folder: Path, surroundings: Mapping[str, str]) -> str:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in surroundings.items():
            patch.setenv(name, value)
        client.execute()
    return "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.outputs if output.output_type == "stream"
    )


# jupyter_client and its event loop warn about what is theirs.
@pytest.mark.filterwarnings("default")
def test_a_notebook_defines_submits_runs_and_waits(tmp_path: Path, surroundings: dict[str, str]) -> None:
    printed = run_notebook([DEFINE, SUBMIT, RUN_AND_SHOW], tmp_path, surroundings)
    assert "outputs [3, 90]" in printed


@pytest.mark.filterwarnings("default")
def test_a_cell_that_defines_a_job_anew_changes_later_submissions_only(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    again = "@job\ndef add(a, b):\n    return a * b * 100\nids += towline.submit_flow(add(1, 2))\n"
    printed = run_notebook([DEFINE, SUBMIT, again, RUN_AND_SHOW], tmp_path, surroundings)
    assert "outputs [3, 90, 200]" in printed


@pytest.mark.filterwarnings("default")
def test_a_notebook_that_cannot_send_what_it_uses_is_told_so(tmp_path: Path, surroundings: dict[str, str]) -> None:
    unsendable = "import threading\nlock = threading.Lock()\n@job\ndef use():\n    with lock:\n        return 1\n"
    submit = "try:\n    towline.submit_flow(use())\nexcept towline.errors.InvalidFlow as error:\n    print(error)\n"
    printed = run_notebook([DEFINE, unsendable, "import towline.errors\n" + submit], tmp_path, surroundings)
    assert "cannot be sent to another process" in printed
    assert "move the function into a module file" in printed
    assert "it uses lock, which cannot be pickled" in printed


def test_processes_that_multiprocessing_spawns_submit_what_the_script_defines(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    submit = "def submit(number):\n    return towline.submit_flow([Scale().make(number), add(number, 1)])\n"
    main = "from multiprocessing import get_context\nwith get_context('spawn').Pool(2) as pool:\n"
    main += "    ids = sum(pool.map(submit, [1, 2]), [])\n" + RUN_AND_SHOW
    guarded = "if __name__ == '__main__':\n" + "".join(f"    {line}\n" for line in main.splitlines())
    (tmp_path / "script.py").write_text(DEFINE + submit + guarded)
    assert "outputs [20, 2, 40, 3]" in told(["script.py"], "", tmp_path, surroundings)


def test_a_script_from_standard_input_defines_submits_runs_and_waits(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    assert "outputs [3, 90]" in told(["-"], DEFINE + SUBMIT + RUN_AND_SHOW, tmp_path, surroundings)


def test_an_interactive_session_defines_submits_runs_and_waits(tmp_path: Path, surroundings: dict[str, str]) -> None:
    # Lines that follow an indented block need an empty line before them, as at a prompt.
    typed = TYPED.replace("controller:\n", "controller:\n").replace(" in ids])\n", " in ids])\n\n")
    assert "outputs [3, 90]" in told(["-i", "-q"], typed, tmp_path, surroundings)
