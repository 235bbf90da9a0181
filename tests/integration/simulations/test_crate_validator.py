"""The public validator of RO-Crates accepts what towline exports, and refuses what somebody broke.

It cannot be installed beside towline, whose rich is newer, so it has an environment of its own: made once from the
index of packages, kept in pytest's cache, and made anew when its versions change.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from towline import simulate
from towline.operations.simulation_records import export_run
from towline.simulations.config_env import ConfigEnv

HERE = Path(__file__).parent / "crate"
VERSIONS = HERE / "validator.txt"
SMALL: dict[str, Any] = {"c0": 0.5, "xmax": 20, "nx": 32, "end_time": 30, "growth_steps": 16}


@pytest.fixture(scope="session")
def validator(request: pytest.FixtureRequest) -> Path:
    """The folder of an environment with the validator; its cache knows the context of RO-Crate."""
    digest = hashlib.sha256(VERSIONS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = Path(request.config.cache.mkdir("crate-validator")) / digest
    if (folder / "complete").is_file():
        return folder
    partial = folder.with_name(f"{digest}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    venv.create(partial, with_pip=True, symlinks=True)
    install = [str(partial / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*install, "--retries", "0", "-r", str(VERSIONS)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        pytest.skip(f"the public validator of RO-Crates cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    arguments = [str(partial / "bin/python"), str(HERE / "offline_context.py"), str(partial / "http")]
    subprocess.run(arguments, check=True, capture_output=True)
    (partial / "complete").touch()
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return folder


@pytest.fixture(scope="module")
def crate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("crate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOWLINE_HOME", str(folder / "home"))
        config = ConfigEnv({"RUNS_DIR": str(folder / "runs")})
        found = simulate("spinodal", SMALL, config=config, force=True, attempts=1)
        yield export_run(found.folder, folder / "crate")


def problems(validator: Path, crate: Path, report: Path) -> list[str]:
    """What the validator has against a crate."""
    options = ["--offline", "--cache-path", str(validator / "http"), "--profile-identifier", "workflow-run-crate"]
    output = ["--no-paging", "--output-format", "json", "--output-file", str(report)]
    program = "from rocrate_validator.cli import cli; cli()"
    command = [str(validator / "bin/python"), "-c", program, "-y", "--disable-color", "validate"]
    done = subprocess.run([*command, *options, *output, str(crate)], capture_output=True, text=True, check=False)
    assert report.is_file(), done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert found["statistics"]["total_checks"] > 50
    assert found["statistics"]["total_skipped_checks"] == 0 or not found["passed"]
    assert found["passed"] == (not found["issues"])
    return [one["message"] for one in found["issues"]]


def test_the_public_validator_accepts_a_run(validator: Path, crate: Path, tmp_path: Path) -> None:
    assert problems(validator, crate, tmp_path / "report.json") == []


def test_a_crate_tells_the_packages_that_its_jobs_ran_with(crate: Path) -> None:
    graph = {one["@id"]: one for one in json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]}
    needs = [graph[one["@id"]] for one in graph["spinodal.i"]["softwareRequirements"]]
    (python,) = [one for one in needs if one["name"] == "Python"]
    assert python["softwareVersion"] == ".".join(map(str, sys.version_info[:3]))
    packages = [graph[one["@id"]] for one in python["softwareRequirements"]]
    versions = {one["name"]: one["softwareVersion"] for one in packages}
    assert versions["numpy"] == metadata.version("numpy")
    assert versions["jobflow"] == metadata.version("jobflow")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda graph: graph["./"].pop("mainEntity"), "main"),
        (lambda graph: graph["#solver"].update(madeUpTerm="x"), "madeUpTerm"),
        (lambda graph: next(one for one in graph.values() if one["@type"] == "CreateAction").pop("instrument"), ""),
    ],
    ids=["no workflow", "a word of no vocabulary", "an action without instrument"],
)
def test_the_public_validator_refuses_a_broken_one(
    validator: Path, crate: Path, tmp_path: Path, spoil: Any, told: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(crate, broken)
    path = broken / "ro-crate-metadata.json"
    document = json.loads(path.read_text())
    spoil({one["@id"]: one for one in document["@graph"]})
    path.write_text(json.dumps(document))
    found = problems(validator, broken, tmp_path / "report.json")
    assert found
    assert told in " ".join(found)
