"""Jobs that are defined in a script, a prompt or a module beside the script run in a process that has none of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towline.core.records import NewFlow

RICH = """
import os
from dataclasses import dataclass, field
from enum import Enum
from jobflow import Flow, Maker, Response, job
from monty.json import MSONable
from pydantic import BaseModel
import helper

with open(os.environ["RECORDS"] + ".ran", "a") as file:
    file.write("ran\\n")

FACTOR = 10

class Color(Enum):
    RED = "red"

@dataclass
class Point(MSONable):
    x: float
    color: Color = Color.RED
    tags: list = field(default_factory=list)

    @property
    def doubled(self):
        return 2 * self.x

class Energy(BaseModel):
    value: float
    color: Color = Color.RED

@dataclass
class Scale(Maker):
    name: str = "scale"
    factor: float = 1
    color: Color = Color.RED

    @job
    def make(self, number):
        assert isinstance(self.color, Color) and self.color is Color.RED
        return number * self.factor * FACTOR

@job
def make_point(x):
    return Point(x, tags=[FACTOR])

@job
def use_point(point, other):
    assert isinstance(point, Point) and isinstance(other, Point), (point, other)
    return point.doubled + other.doubled

@job(output_schema=Energy)
def energy(value):
    return {"value": value}

@job
def use_energy(energy):
    assert isinstance(energy, Energy)
    return energy.value

@job
def countdown(number):
    if number == 0:
        return helper.shout("done")
    return Response(replace=countdown(number - 1))

@job
def by_maker(maker, color):
    assert isinstance(maker, Scale) and color is Color.RED
    return Response(replace=Flow([first := maker.make(2)], output={"scaled": first.output, "point": Point(7)}))

@job
def late_import():
    import helper
    return helper.shout("late")

def plain(number):
    return number + FACTOR

point = make_point(3)
measured = energy(1.5)
made = by_maker(Scale(factor=5), Color.RED)
flow = Flow([
    point, use_point(point.output, Point(4)), measured, use_energy(measured.output), countdown(3),
    Scale(factor=2).make(1), made, late_import(), job(plain)(1),
])
"""


@pytest.fixture
def rich(scripts: Any) -> str:
    scripts.write("helper.py", "def shout(text):\n    return text.upper() + '!'\n")
    return RICH


@pytest.mark.parametrize("how", ["file", "-c", "-"])
def test_jobs_of_a_script_run_in_a_process_without_the_script(scripts: Any, rich: str, how: str) -> None:
    records = scripts.run(rich, how)
    outputs = scripts.outputs(records)
    assert outputs["use_point"] == 14
    assert outputs["energy"]["@module"] == "__main__"
    assert outputs["use_energy"] == 1.5
    assert outputs["countdown"] == "DONE!"
    assert outputs["scale"] in (20, 100)
    assert outputs["late_import"] == "LATE!"
    assert outputs["plain"] == 11
    assert Path(f"{records}.ran").read_text() == "ran\n", "the script itself must not run again"


def test_two_versions_of_a_function_in_one_session_are_two_functions(scripts: Any) -> None:
    records = scripts.run(
        "from jobflow import Flow, job\n"
        "@job\ndef f():\n    return 'old'\n"
        "first = f()\n"
        "@job\ndef f():\n    return 'new'\n"
        "second = f()\nsecond.name = 'g'\n"
        "flow = Flow([first, second])\n"
    )
    assert scripts.outputs(records) == {"f": "old", "g": "new"}


def test_scripts_with_the_same_names_do_not_mix_in_one_process(scripts: Any) -> None:
    text = (
        "from dataclasses import dataclass\nfrom jobflow import Flow, job\nfrom monty.json import MSONable\n"
        "@dataclass\nclass P(MSONable):\n    x: int = 0\n    def tell(self):\n        return 'NAME'\n"
        "@job\ndef make():\n    return P(1)\n@job\ndef tell(p):\n    return p.tell()\n"
        "a = make()\nflow = Flow([a, tell(a.output)])\n"
    )
    names = [scripts.run(text.replace("NAME", name)) for name in ("first", "second", "first")]
    told = [outputs[-1][2] for outputs, _ in scripts.work(*names)]
    assert told == ["first", "second", "first"]


def test_what_a_script_defines_is_stored_once_per_set_and_small(
    scripts: Any, load_records: Callable[[str], NewFlow]
) -> None:
    records = scripts.run(
        "from jobflow import Flow, job\n@job\ndef f(n):\n    return n\nflow = Flow([f(n) for n in range(50)])\n"
    )
    jobs = load_records(records).jobs
    assert len({job.payload[job.payload.index(b"main_objects") :][:500] for job in jobs}) == 1
    assert len(jobs[0].payload) < 2500


def test_a_function_that_uses_a_global_lock_is_refused_with_the_remedy(scripts: Any) -> None:
    error = scripts.run(
        "from jobflow import Flow, job\nimport threading\nlock = threading.Lock()\n"
        "def locked(text):\n    with lock:\n        return text\n"
        "@job\ndef write(text):\n    return locked(text)\n"
        "flow = Flow([write('a')])\n",
        expect_error=True,
    )
    assert "InvalidFlow: job 'write'" in error
    assert "cannot be sent to another process" in error
    assert "it uses lock, which" in error
    assert "module file beside the script" in error


def test_modules_beside_the_script_are_found_by_the_worker(scripts: Any) -> None:
    scripts.write("package/__init__.py", "")
    scripts.write(
        "package/deep.py", "from jobflow import job\nimport beside\n@job\ndef f():\n    return beside.VALUE\n"
    )
    scripts.write("beside.py", "VALUE = 5\n")
    records = scripts.run("from jobflow import Flow\nfrom package.deep import f\nflow = Flow([f()])\n")
    assert scripts.outputs(records) == {"f": 5}


def test_modules_of_the_same_name_from_two_folders_do_not_mix_in_one_process(scripts: Any) -> None:
    names = []
    for value in (1, 2):
        scripts.write(f"folder{value}/jobs.py", f"from jobflow import job\n@job\ndef f():\n    return {value}\n")
        names.append(
            scripts.run(
                f"import sys; sys.path.insert(0, {str(scripts.folder / f'folder{value}')!r})\n"
                "from jobflow import Flow\nfrom jobs import f\nflow = Flow([f()])\n"
            )
        )
    outputs = [found for found, _ in scripts.work(*names, names[0])]
    assert [found[0][2] for found in outputs] == [1, 2, 1]


def test_a_worker_without_the_module_says_which_and_where(scripts: Any) -> None:
    module = scripts.write("gone.py", "from jobflow import job\n@job\ndef f():\n    return 1\n")
    records = scripts.run("from jobflow import Flow\nfrom gone import f\nflow = Flow([f()])\n")
    module.unlink()
    ((_, failures),) = scripts.work(records)
    ((_, failure),) = failures
    assert "job 'f' cannot run here: f needs module gone, which" in failure.message
    assert "install it" in failure.message


def test_a_worker_with_an_older_module_says_what_is_missing(scripts: Any) -> None:
    module = scripts.write("older.py", "from jobflow import job\n@job\ndef f():\n    return 1\n")
    records = scripts.run("from jobflow import Flow\nfrom older import f\nflow = Flow([f()])\n")
    module.write_text("")
    ((_, failures),) = scripts.work(records)
    assert "has no f here" in failures[0][1].message
