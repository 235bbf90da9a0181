"""A failure becomes a diagnosis, a correction and a further attempt, in the queue, until it is done or given up."""

import json
from pathlib import Path
from typing import Any

import pytest

from towline.operations.simulation_records import Outcome
from towline.operations.simulations import simulate
from towline.simulations.run_directory import METADATA, RECORD

pytestmark = pytest.mark.slow

#: Twenty grains with few cells: too few order parameters for them are noticed at once.
SMALL = {"T": 600, "num_grains": 20, "nx": 32, "ny": 32, "num_steps": 4}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a folder of one's own, without any setting from outside."""
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    for name in ("MOOSE_EXEC", "EXECUTION_BACKEND", "RUNS_DIR", "LLM_PROVIDER", "LLM_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def documents(outcome: Outcome, name: str) -> list[dict[str, Any]]:
    """A document of every attempt, the first one first."""
    return [json.loads((folder / name).read_text(encoding="utf-8")) for folder in outcome.attempts]


def test_too_few_order_parameters_become_more_until_the_run_succeeds() -> None:
    outcome = simulate("grain_growth", {**SMALL, "op_num": 4}, force=True, timeout_seconds=240)
    records, cases = documents(outcome, RECORD), documents(outcome, METADATA)
    assert [one["status"] for one in records] == ["failed", "failed", "done"]
    assert [one["params"]["op_num"] for one in cases] == [4, 6, 9]
    assert [one["review"] and one["review"]["failure"] for one in records] == ["OP_COLOURING", "OP_COLOURING", None]
    assert "Unable to find a valid grain to op coloring" in records[0]["review"]["evidence"]
    assert [one["parent"] for one in cases] == [None, *(folder.name for folder in outcome.attempts[:2])]
    assert cases[2]["correction"]["changes"]["op_num"]["note"] == "was 6, corrected"
    # What is simulated stayed the same.
    numerical = {"op_num"}
    for case in cases[1:]:
        changed = {name for name, value in case["params"].items() if cases[0]["params"].get(name) != value}
        assert changed == numerical


def test_attempts_end_when_nothing_helps() -> None:
    outcome = simulate("grain_growth", {**SMALL, "op_num": 1}, force=True, timeout_seconds=240)
    records = documents(outcome, RECORD)
    assert [one["status"] for one in records] == ["failed"] * 3
    assert outcome.status == "failed"
    assert outcome.verdict != "CREDIBLE"
    assert "op_num" in records[-1]["review"]["advice"]


def test_a_rejected_step_that_recovers_needs_no_attempt() -> None:
    strict = {"nl_max_its": 3, "nl_rel_tol": 1e-9, "l_tol": 1e-4}
    params = {**SMALL, "nx": 40, "ny": 40, "op_num": 9, "num_steps": 12, **strict}
    outcome = simulate("grain_growth", params, force=True, timeout_seconds=240)
    (record,) = documents(outcome, RECORD)
    assert record["status"] == "done"
    assert record["review"] is None
    assert record["rejected_steps"] > 0
