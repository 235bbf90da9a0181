"""Which attempt of a simulation its outcome is that of."""

from pathlib import Path

import pytest

from towline.operations.simulation_records import outcome
from towline.simulations.run_directory import EXIT_CODE, LOG, RECORD, write_json

JUDGED = {"status": "done", "verdict": {"verdict": "FALSIFIED", "sentence": "FALSIFIED by G1"}}


@pytest.mark.parametrize(
    ("records", "counted"),
    [
        ([JUDGED, {"status": "done"}], 1),
        ([JUDGED, {"status": "failed"}], 1),
        ([JUDGED, {"status": "pending"}], 1),
        ([JUDGED, {"status": "stopped"}], 0),
        ([{"status": "failed"}, {"status": "stopped"}], 1),
        ([{"status": "failed"}, JUDGED, {"status": "stopped"}], 1),
    ],
)
def test_the_last_attempt_counts_unless_it_was_given_up(tmp_path: Path, records: list[dict], counted: int) -> None:
    for number, record in enumerate(records):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        following = {"next_attempt": f"run{number + 1}"} if number + 1 < len(records) else {}
        write_json(folder / RECORD, {**record, **following})
    found = outcome(tmp_path / "run0")
    assert found.folder.name == f"run{counted}"
    assert found.status == records[counted]["status"]
    assert len(found.attempts) == len(records)


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({}, "pending"),
        ({LOG: "Time Step 1"}, "running"),
        ({LOG: "Finished Executing", EXIT_CODE: "0"}, "judging"),
        ({LOG: "*** ERROR ***", EXIT_CODE: "1"}, "judging"),
        # The queue lets it go on.
        ({LOG: "Time Step 1", EXIT_CODE: "137"}, "running"),
    ],
)
def test_a_run_that_nobody_has_judged_says_how_far_it_is(tmp_path: Path, files: dict[str, str], status: str) -> None:
    write_json(tmp_path / RECORD, {"status": "pending"})
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = outcome(tmp_path)
    assert found.status == status
    assert found.sentence == "no verdict: the run is " + status.replace("judging", "being judged")


def test_a_continued_run_says_from_where_and_after_what(tmp_path: Path) -> None:
    continued = [{"after": "timeout", "from": "case_cp/1280"}, {"after": "node_failure", "from": "the beginning"}]
    continued.append({"after": "signal", "from": "case_cp/0007"})
    write_json(tmp_path / RECORD, {**JUDGED, "continued": continued})
    assert outcome(tmp_path).continuations == (
        "continued from step 1280 after timeout",
        "continued from the beginning after node_failure",
        "continued from step 7 after a kill",
    )
