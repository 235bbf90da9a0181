"""Rules that a linter does not know: names of modules, length of files, what the light doors load."""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import towline

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCE = CHECKOUT / "src" / "towline"
MODULES = sorted(SOURCE.rglob("*.py"))

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
LONGEST_FILE_LINES = 450
HEAVY = {"jobflow", "maggma", "sqlalchemy", "pydantic", "numpy", "pymongo"}


def relative(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = {path: path.parent.name if path.name == "__init__.py" else path.stem for path in MODULES}
    assert [relative(path) for path, name in named.items() if name in EMPTY_NAMES] == []


def test_no_file_is_longer_than_a_newcomer_reads() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE_LINES} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [relative(path) for path in MODULES if path.stat().st_size and not documented(path)] == []


def documented(path: Path) -> bool:
    return bool(ast.get_docstring(ast.parse(path.read_text())))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("import towline", id="import towline"),
        pytest.param(
            "import sys; sys.argv = ['tow', '--help']\n"
            "from towline.interfaces.cli.main import run\n"
            "try:\n    run()\nexcept SystemExit as end:\n    assert not end.code, end.code",
            id="tow --help",
        ),
    ],
)
def test_the_light_doors_load_no_heavy_library(command: str, tmp_path: Path) -> None:
    program = f"{command}\nimport json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TOWLINE_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert loaded & HEAVY == set()


def test_the_public_names_are_sorted_and_each_of_them_is_there() -> None:
    names = [name for name in towline.__all__ if name != "__version__"]
    # Classes before functions, each sorted: as ruff sorts them.
    assert names == sorted(names, key=lambda name: (name[0].islower(), name))
    assert set(towline.__all__) == set(dir(towline))
    assert [name for name in towline.__all__ if not hasattr(towline, name)] == []


def test_the_names_that_scripts_for_jobflow_remote_use_are_public() -> None:
    expected = {"submit_flow", "set_run_config", "get_jobstore", "JobController", "ConfigManager", "Runner"}
    assert expected | {"command", "wait_flow", "__version__"} <= set(towline.__all__)


def test_a_type_checker_sees_the_public_names_where_they_are() -> None:
    """The imports under TYPE_CHECKING say the same as the table that loads the names lazily."""
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: str(node.module) for node in imports for alias in node.names}
    assert seen == towline._HOME_OF
    assert {*seen, "__version__"} == set(towline.__all__)
    for name, module in seen.items():
        assert hasattr(importlib.import_module(module), name), f"{module} has no {name}"
