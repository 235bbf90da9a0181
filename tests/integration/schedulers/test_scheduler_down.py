"""A scheduler that cannot be reached takes seconds to say so, and is not asked for every job."""

import subprocess
from pathlib import Path

import pytest

from towline.workers.schedulers.scheduler import Outcome, Submission
from towline.workers.schedulers.slurm import Slurm

_SBATCH = """#!/bin/sh
echo called >>"$CALLS"
{body}
"""
_DOWN = "echo 'sbatch: error: Unable to contact slurm controller (connect failure)' >&2; exit 1"
_LIMIT = "echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1"


def submit(tmp_path: Path, body: str) -> tuple[list[Outcome], int]:
    """Outcomes of 40 submissions, and how often sbatch was called."""
    (tmp_path / "sbatch").write_text(_SBATCH.format(body=body))
    (tmp_path / "sbatch").chmod(0o755)
    submissions = [Submission(str(tmp_path / str(number)), f"tow{number}") for number in range(40)]
    for one in submissions:
        Path(one.run_dir).mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", "-c", Slurm().submit_command(submissions)],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(tmp_path / "calls")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    outcomes = [one.outcome for one in Slurm().read_submissions(done.stdout, submissions)]
    return outcomes, len((tmp_path / "calls").read_text().split())


def test_a_scheduler_that_is_down_is_asked_once_in_a_lane(tmp_path: Path) -> None:
    outcomes, calls = submit(tmp_path, _DOWN)
    assert outcomes == [Outcome.REFUSED] * 40
    assert calls <= 4
    # Nothing of it is in the way of the next try.
    outcomes, _ = submit(tmp_path, "echo 17")
    assert outcomes == [Outcome.SUBMITTED] * 40


@pytest.mark.parametrize("body", [_LIMIT])
def test_other_refusals_concern_one_job(tmp_path: Path, body: str) -> None:
    outcomes, calls = submit(tmp_path, body)
    assert outcomes == [Outcome.REFUSED] * 40
    assert calls == 40
