"""Which attempt of a simulation its outcome is that of."""

from pathlib import Path

import pytest

from towline.operations.simulation_records import outcome
from towline.simulations.run_directory import RECORD, write_json

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
