"""What became of an attempt is judged by what is there."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from towline.core.records import ExitRecord, Failure, Result, pack_result
from towline.core.run_folder import RESULT_FILE, STARTED_FILE
from towline.on_worker.attempt_files import PENDING_EXIT_FILE, claim, host, read_started, started_content, write_exit
from towline.on_worker.evidence import Finding, judge_gone, look
from towline.on_worker.isolation import RUN_DIR_VARIABLE
from towline.on_worker.keeper import ORPHANS_FILE
from towline.on_worker.orphans import Orphans
from towline.on_worker.process_groups import members
from towline.on_worker.process_identity import start_mark

_ENDED = ExitRecord(exit_code=3, signal=None, reason="exited", started_at=1.0, ended_at=2.0, host="here")
_NOBODY = 2**22 + 7


@pytest.fixture
def run_dir(tmp_path: Path) -> str:
    """A run folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    return str(folder)


@pytest.fixture
def orphans(tmp_path: Path) -> Orphans:
    """Ends that a keeper saw: none so far."""
    return Orphans(tmp_path)


def _started(run_dir: str, pid: int | None, mark: str | None = "1@boot", machine: str | None = None) -> None:
    record = {"pid": pid, "process_started_at": mark, "at": time.time(), "host": machine or host()}
    Path(run_dir, STARTED_FILE).write_bytes(orjson.dumps(record))


def _keeper_saw(state_dir: Path, **facts: Any) -> None:
    record = {"pid": _NOBODY, "mark": "1@boot", "group": _NOBODY, "began_at": time.time(), "code": 0, "at": time.time()}
    with (state_dir / ORPHANS_FILE).open("ab") as file:
        file.write(orjson.dumps({**record, "peak_memory_bytes": 1, "cpu_seconds": 0.1, **facts}) + b"\n")


def test_an_untouched_folder_and_a_missing_one_were_not_started(run_dir: str, orphans: Orphans) -> None:
    assert look(run_dir, orphans).finding is Finding.NOT_STARTED
    assert look(f"{run_dir}/missing", orphans).finding is Finding.NOT_STARTED


def test_an_exit_record_is_the_end(run_dir: str, orphans: Orphans) -> None:
    _started(run_dir, os.getpid(), None)
    write_exit(run_dir, _ENDED)
    evidence = look(run_dir, orphans)
    assert (evidence.finding, evidence.exit) == (Finding.ENDED, _ENDED)


def test_an_end_whose_outputs_were_not_collected_is_taken_up_again(run_dir: str, orphans: Orphans) -> None:
    _started(run_dir, os.getpid(), None)
    write_exit(run_dir, _ENDED, PENDING_EXIT_FILE)
    evidence = look(run_dir, orphans)
    assert (evidence.finding, evidence.exit) == (Finding.PENDING, _ENDED)


def test_a_process_that_is_there_runs(run_dir: str, orphans: Orphans) -> None:
    Path(run_dir, STARTED_FILE).write_bytes(started_content(os.getpid()))
    evidence = look(run_dir, orphans)
    assert (evidence.finding, evidence.pid) == (Finding.RUNNING, os.getpid())


def test_another_process_with_the_same_id_is_not_the_job(run_dir: str, orphans: Orphans) -> None:
    _started(run_dir, os.getpid(), "0@earlier")
    assert look(run_dir, orphans).finding is Finding.GONE


def test_that_a_process_of_another_machine_is_not_here_says_nothing(run_dir: str, orphans: Orphans) -> None:
    _started(run_dir, _NOBODY, "1@boot of another machine", "another")
    evidence = look(run_dir, orphans)
    assert evidence.finding is Finding.ELSEWHERE
    assert evidence.started is not None
    assert evidence.started.host == "another"
    write_exit(run_dir, _ENDED)
    assert look(run_dir, orphans).finding is Finding.ENDED


def test_a_machine_that_got_another_name_knows_its_own_processes(run_dir: str, orphans: Orphans) -> None:
    mark = start_mark(os.getpid())
    assert mark is not None
    _started(run_dir, os.getpid(), mark, "its former name")
    assert look(run_dir, orphans).finding is Finding.RUNNING
    if "@" in mark:
        _started(run_dir, _NOBODY, f"1@{mark.partition('@')[2]}", "its former name")
        assert look(run_dir, orphans).finding is Finding.GONE


def test_what_the_keeper_saw_is_believed(run_dir: str, orphans: Orphans, tmp_path: Path) -> None:
    _started(run_dir, _NOBODY)
    assert look(run_dir, orphans).finding is Finding.GONE
    _keeper_saw(tmp_path, mark="other@boot", code=1)
    _keeper_saw(tmp_path, code=-9)
    evidence = look(run_dir, orphans)
    assert evidence.finding is Finding.PENDING
    assert evidence.exit is not None
    assert (evidence.exit.exit_code, evidence.exit.signal, evidence.exit.reason) == (None, 9, "signal")


def test_a_process_that_nobody_wrote_down_is_found_by_the_moment_it_began(
    run_dir: str, orphans: Orphans, tmp_path: Path
) -> None:
    Path(run_dir, STARTED_FILE).touch()
    began_at = Path(run_dir, STARTED_FILE).stat().st_mtime
    _keeper_saw(tmp_path, began_at=began_at - 5, code=1)
    _keeper_saw(tmp_path, began_at=began_at, group=1, code=2)
    _keeper_saw(tmp_path, began_at=began_at - 0.01, code=0)
    evidence = look(run_dir, orphans)
    assert evidence.exit is not None
    assert evidence.exit.exit_code == 0
    # Each end is that of one attempt.
    assert look(run_dir, orphans).finding is Finding.GONE


def test_a_process_that_nobody_wrote_down_is_found_while_it_runs(run_dir: str, orphans: Orphans) -> None:
    Path(run_dir, STARTED_FILE).touch()
    with subprocess.Popen(
        ["sleep", "60"], env={**os.environ, RUN_DIR_VARIABLE: run_dir}, start_new_session=True
    ) as process:
        # In the middle of exec a process has no environment yet.
        deadline = time.monotonic() + 20
        while process.pid not in members(None, run_dir):
            assert time.monotonic() < deadline, "the process shows no mark"
        evidence = look(run_dir, orphans)
        assert (evidence.finding, evidence.pid) == (Finding.RUNNING, process.pid)
        process.kill()


def test_what_was_claimed_for_nobody_was_cancelled(run_dir: str, orphans: Orphans) -> None:
    claim(run_dir, never=True)
    evidence = look(run_dir, orphans)
    assert evidence.exit is not None
    assert evidence.exit.reason == "cancelled"


@pytest.mark.parametrize(
    ("result", "exit_code", "reason"),
    [
        (Result(output=b"{}"), 0, "exited"),
        (Result(failure=Failure("error", "no")), 1, "exited"),
        (None, None, "vanished"),
    ],
)
def test_without_any_witness_the_result_decides(
    run_dir: str, result: Result | None, exit_code: int | None, reason: str
) -> None:
    _started(run_dir, _NOBODY)
    if result is not None:
        Path(run_dir, RESULT_FILE).write_bytes(pack_result(result))
    started = read_started(run_dir)
    assert started is not None
    record = judge_gone(run_dir, started)
    assert (record.exit_code, record.reason) == (exit_code, reason)


def test_the_keepers_notes_are_read_on_after_it_began_a_new_file(tmp_path: Path, run_dir: str) -> None:
    _keeper_saw(tmp_path, pid=1, code=1)
    orphans = Orphans(tmp_path)
    _started(run_dir, _NOBODY)
    assert look(run_dir, orphans).finding is Finding.GONE
    _keeper_saw(tmp_path, code=7)
    (tmp_path / ORPHANS_FILE).rename(tmp_path / "orphans.old.jsonl")
    _keeper_saw(tmp_path, pid=2, code=2)
    evidence = look(run_dir, orphans)
    assert evidence.exit is not None
    assert evidence.exit.exit_code == 7
