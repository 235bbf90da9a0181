"""C1 with runs that were really made: a run, and the same one with half its time steps, or half its cells."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from towline import simulate
from towline.operations.simulation_records import Outcome
from towline.simulations.config_env import ConfigEnv

#: Boundaries that are as wide as a coarse mesh allows: some seconds, and just enough grains for a rate.
GRAINS: dict[str, Any] = {
    "T": 600,
    "num_grains": 80,
    "wGB": 20,
    "xmax": 640,
    "nx": 96,
    "end_time": 430,
    "rand_seed": 43,
}
MIXTURE: dict[str, Any] = {"xmax": 32, "nx": 72, "end_time": 230}

# The finer runs take four times as long as the coarse one.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigEnv]:
    folder = tmp_path_factory.mktemp("refinement")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOWLINE_HOME", str(folder / "home"))
        yield ConfigEnv({"RUNS_DIR": str(folder / "runs")})


@pytest.fixture(scope="module")
def grains(config: ConfigEnv) -> Outcome:
    run = simulate("grain_growth", GRAINS, config=config, attempts=1)
    assert run.status == "done"
    assert run.metrics["mean_area_rate"]["valid"], run.metrics["mean_area_rate"]
    return run


def refine(run: Outcome, what: str, expected: tuple[int, ...]) -> dict[str, Any]:
    """`tow simulation check RUN --refine WHAT --json`."""
    words = ["simulation", "check", str(run.folder), "--refine", what, "--json"]
    words += ["--env", f"RUNS_DIR={run.folder.parent}"]
    command = [sys.executable, "-m", "towline.interfaces.cli.main", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in expected, done.stderr
    return dict(json.loads(done.stdout)) if done.stdout else {"said": " ".join(done.stderr.split())}


def the_check(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for one in document["checks"] if one["check"] == "C1"]
    return dict(found)


def test_half_the_steps_hardly_change_the_rate_of_growth(grains: Outcome) -> None:
    found = the_check(refine(grains, "time-step", (0,)))
    assert found["outcome"] == "pass"
    assert 0 < found["numbers"]["largest change"] < 0.05
    assert "finer steps" in found["reason"]


def test_half_the_cells_tell_whether_the_mesh_was_good_enough(grains: Outcome) -> None:
    finer = refine(grains, "mesh", (0,))
    found = the_check(finer)
    assert "finer cells" in found["reason"]
    assert 0 < found["numbers"]["largest change"] < 0.05
    folder = Path(finer["run_dir"])
    assert (folder / "report.html").is_file()
    members = json.loads((folder / "sweep.json").read_text())["members"]
    assert [(folder / name).resolve() == grains.folder for name in members] == [True, False]


def test_noise_is_another_one_on_another_mesh(config: ConfigEnv) -> None:
    run = simulate("spinodal", MIXTURE, config=config, force=True, attempts=1)
    assert "starts from noise" in refine(run, "mesh", (1,))["said"]
    finer = refine(run, "time-step", (0, 4, 5))
    found = the_check(finer)
    assert "steps" in found["reason"]
    assert found["numbers"]["pairs with results"] == 1
    assert "is a sweep" in refine(Outcome(Path(finer["run_dir"]), "done", None, ""), "mesh", (1,))["said"]
