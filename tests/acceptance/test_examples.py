"""The examples run as a user runs them: as scripts, with the installed commands."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TOW = Path(sys.executable).with_name("tow")


def run(*command: str | Path, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "TOWLINE_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with an active runner."""
    home = tmp_path / "home"
    run(TOW, "runner", "start", cwd=tmp_path, home=home)
    yield home
    run(TOW, "runner", "stop", "--wait", cwd=tmp_path, home=home)


@pytest.mark.parametrize("how", [[], ["--locally"]], ids=["towline", "jobflow alone"])
def test_the_equation_of_state_is_that_of_copper(how: list[str], tmp_path: Path) -> None:
    script = EXAMPLES / "equation_of_state.py"
    done = run(sys.executable, script, *how, cwd=tmp_path, home=tmp_path / "unused")
    verdicts = [line for line in done.stdout.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert [line[:4] for line in verdicts] == ["PASS"] * 4
    assert "angstrom" in verdicts[0]
    assert "GPa" in verdicts[1]
    picture = tmp_path / "demo-results" / "equation_of_state.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"plot: {picture}" in done.stdout
    # The example has a home of its own, and leaves the user's alone.
    assert not (tmp_path / "unused").exists()


def test_the_equation_of_state_can_be_repeated_in_the_same_folder(tmp_path: Path) -> None:
    for _ in range(2):
        run(sys.executable, EXAMPLES / "equation_of_state.py", cwd=tmp_path, home=tmp_path / "unused")


@pytest.mark.parametrize("example", ["fan_out.py", "command_job.py"])
def test_an_example_completes_on_an_active_runner(example: str, home: Path, tmp_path: Path) -> None:
    run(sys.executable, EXAMPLES / example, cwd=tmp_path, home=home)


@pytest.mark.slow
def test_the_demo_ends_with_a_verdict_and_its_pictures(tmp_path: Path) -> None:
    done = run(sys.executable, EXAMPLES / "spinodal_decomposition.py", cwd=tmp_path, home=tmp_path / "unused")
    lines = done.stdout.splitlines()
    assert lines[-1] == "verdict: CREDIBLE"
    pictures = [Path(line.removeprefix("figure: ")) for line in lines if line.startswith("figure: ")]
    assert len(pictures) > 3
    assert all(path.stat().st_size > 1000 for path in pictures)
    (report,) = [Path(line.removeprefix("report: ")) for line in lines if line.startswith("report: ")]
    assert report.is_relative_to(tmp_path / "demo-results" / "runs")
    assert not any(line.startswith("fail") for line in lines)
    assert not (tmp_path / "unused").exists()
