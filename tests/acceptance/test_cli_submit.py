"""`tow submit`: what it takes for a flow, and what it says."""

import json
import sys
from collections.abc import Iterator
from operator import add
from pathlib import Path

import pytest
from jobflow import Flow, job
from monty.json import MontyEncoder

from towline.operations.compose import OpenProject, open_project
from towline.testing.command_line import tow

SCRIPT = """
from jobflow import Flow, job

@job
def double(x):
    return 2 * x

first = double(3)
second = double(first.output)
"""


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Scripts take the place of the program; the test runner needs its own afterwards."""
    main, path, arguments = sys.modules["__main__"], list(sys.path), sys.argv
    yield
    sys.modules["__main__"], sys.path[:], sys.argv = main, path, arguments


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenProject]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    with open_project() as opened:
        yield opened


def script(folder: Path, text: str) -> str:
    path = folder / "my flow.py"
    path.write_text(SCRIPT + text)
    return str(path)


def job_names(project: OpenProject) -> list[str]:
    return [name for (name,) in project.database.read("SELECT name FROM job ORDER BY id")]


def test_the_flow_of_a_script_is_submitted(project: OpenProject, tmp_path: Path) -> None:
    answer = tow("submit", script(tmp_path, "flow = Flow([first, second], name='twice')"))
    assert answer.code == 0, answer.err
    uuid = project.database.read("SELECT uuid FROM flow")[0][0]
    assert answer.out == f"flow {uuid} (twice): 2 jobs\n1 2\n"
    assert "tow runner start" in answer.err
    assert job_names(project) == ["double", "double"]


def test_json_has_the_ids(project: OpenProject, tmp_path: Path) -> None:
    document = tow("submit", script(tmp_path, "flow = Flow([first, second])"), "--json").json
    assert document["db_ids"] == ["1", "2"]
    assert document["flow_id"] == project.database.read("SELECT uuid FROM flow")[0][0]


@pytest.mark.parametrize(
    ("text", "jobs"),
    [
        ("job = double(1)", 1),
        ("def main():\n    pass\nanything = Flow([first, second])", 2),
        ("flow = Flow([first, second])\nother = double(5)", 2),
        ("flow = Flow([first, second])\nif __name__ == '__main__':\n    raise SystemExit('run by itself')", 2),
        ('if "__main__" == __name__:\n    import nothing\nelse:\n    flow = Flow([first, second])', 2),
        ("import sys\nflow = Flow([first, second])\nsys.exit(0)", 2),
    ],
)
def test_what_counts_as_the_flow(project: OpenProject, tmp_path: Path, text: str, jobs: int) -> None:
    answer = tow("submit", script(tmp_path, text))
    assert answer.code == 0, answer.err
    assert len(job_names(project)) == jobs


def test_an_object_is_chosen_by_name_or_made_by_a_function(project: OpenProject, tmp_path: Path) -> None:
    text = "a = Flow([first])\nb = Flow([second])\ndef make():\n    return [double(1), double(2), double(3)]"
    path = script(tmp_path, text)
    assert "several flows: a, b" in tow("submit", path).err
    assert "--object NAME" in tow("submit", path).err
    assert tow("submit", path, "--object", "make").code == 0
    assert len(job_names(project)) == 3
    assert "defines no 'c'" in tow("submit", path, "--object", "c").err
    assert "is a module" in tow("submit", script(tmp_path, "import os"), "--object", "os").err


def test_settings_go_with_the_jobs(project: OpenProject, tmp_path: Path) -> None:
    path = script(tmp_path, "job = double(1)")
    assert tow("submit", path, "--resources", "time_limit=60", "--priority", "3", "--worker", "local").code == 0
    document = tow("job", "info", "1", "--json").json
    assert document["resources"] == {"time_limit": 60}
    assert (document["priority"], document["worker"]) == (3, "local")
    assert "no worker 'mars'" in tow("submit", path, "-wk", "mars").err
    assert "key=value" in tow("submit", path, "-r", "many").err


def test_a_flow_written_as_json_is_submitted(project: OpenProject, tmp_path: Path) -> None:
    first = job(add)(1, 2)
    flow = Flow([first, job(add)(first.output, 3)], name="sums")
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(flow, cls=MontyEncoder))
    answer = tow("submit", str(path))
    assert answer.code == 0, answer.err
    assert f"flow {flow.uuid} (sums): 2 jobs" in answer.out
    assert "is in the queue already" in tow("submit", str(path)).err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("flow.json", "{", "has no flow that can be read"),
        ("flow.json", '{"a": 1}', "has a dict, not a flow"),
        ("flow.json", '{"@module": "nowhere.at.all", "@class": "Flow"}', "flow.json has"),
        ("flow.txt", "", "give a script (.py)"),
        ("flow.py", "x = 1", "defines no flow at its top level"),
        ("flow.py", "x = (", "SyntaxError"),
        ("flow.py", "import sys\nsys.exit('no input')", "exit code 'no input'"),
    ],
)
def test_files_without_a_flow_are_explained(
    project: OpenProject, tmp_path: Path, name: str, content: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    answer = tow("submit", str(path))
    assert answer.code == 1
    assert said in answer.err
    assert job_names(project) == []


def test_a_script_that_fails_shows_its_own_traceback_only(project: OpenProject, tmp_path: Path) -> None:
    path = script(tmp_path, "def deep():\n    return 1 / 0\n\ndeep()")
    answer = tow("submit", path)
    assert answer.code == 1
    assert "failed before anything was submitted" in answer.err
    assert "in deep" in answer.err
    assert "ZeroDivisionError" in answer.err
    assert "flow_files.py" not in answer.err


def test_a_missing_file_is_told(project: OpenProject) -> None:
    assert "nothing.py cannot be read: No such file or directory" in tow("submit", "nothing.py").err
