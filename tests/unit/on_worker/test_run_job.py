"""Running one job of a run folder in this process."""

import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from towline.core.records import Result, pack_job, unpack_result
from towline.core.run_folder import JOB_FILE, RESULT_FILE, STARTED_FILE
from towline.errors import ConfigurationError
from towline.on_worker import attempt_files, run_job
from towline.on_worker.payload_registry import payload_runner
from towline.on_worker.process_identity import is_running, start_mark
from towline.testing.payloads import EXTRA_PAYLOADS, package


@pytest.fixture(autouse=True)
def _payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWLINE_EXTRA_PAYLOADS", EXTRA_PAYLOADS)
    payload_runner.cache_clear()


def _folder(folder: Path, *actions: list[Any], kind: str = "test") -> str:
    (folder / JOB_FILE).write_bytes(package(*actions, kind=kind))
    return str(folder)


def _result(folder: Path) -> Result:
    return unpack_result((folder / RESULT_FILE).read_bytes())


def test_a_job_leaves_its_result(tmp_path: Path) -> None:
    assert run_job.run(_folder(tmp_path, ["return", [1, 2]])) == 0
    assert orjson.loads(_result(tmp_path).output or b"")["output"] == [1, 2]
    started = attempt_files.read_started(str(tmp_path))
    assert started is not None
    assert started.pid == os.getpid()
    assert is_running(os.getpid(), started.mark)


def test_a_job_that_was_started_is_left_alone(tmp_path: Path) -> None:
    folder = _folder(tmp_path, ["write", str(tmp_path / "ran"), "x"])
    (tmp_path / STARTED_FILE).write_text("{}")
    assert run_job.run(folder) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([JOB_FILE, STARTED_FILE])


@pytest.mark.parametrize(
    ("action", "text"),
    [(["system_exit", 2], "sys.exit(2)"), (["recurse"], "RecursionError"), (["raise", "broken"], "ValueError: broken")],
)
def test_whatever_the_job_raises_is_its_failure(tmp_path: Path, action: list[Any], text: str) -> None:
    assert run_job.run(_folder(tmp_path, action)) == 1
    failure = _result(tmp_path).failure
    assert failure is not None
    assert text in failure.message
    assert failure.details


@pytest.mark.parametrize(
    ("error", "reason"), [(KeyboardInterrupt(), "error"), (MemoryError(), "out_of_memory"), (GeneratorExit(), "error")]
)
def test_nothing_escapes(monkeypatch: pytest.MonkeyPatch, error: BaseException, reason: str) -> None:
    def explode(*_: object) -> Result:
        raise error

    monkeypatch.setattr("towline.testing.payloads.run_payload", explode)
    failure = run_job.execute(package(["return", 1])).failure
    assert failure is not None
    assert failure.reason == reason


def test_an_unknown_kind_of_payload_is_a_failure_that_names_the_known_ones(tmp_path: Path) -> None:
    assert run_job.run(_folder(tmp_path, kind="quantum")) == 1
    failure = _result(tmp_path).failure
    assert failure is not None
    assert "'quantum'" in failure.message
    assert "jobflow" in failure.message


def test_a_damaged_or_missing_job_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / JOB_FILE).write_bytes(b"{not json")
    assert run_job.run(str(tmp_path)) == 1
    (tmp_path / STARTED_FILE).unlink()
    (tmp_path / JOB_FILE).unlink()
    assert run_job.run(str(tmp_path)) == 1
    failure = _result(tmp_path).failure
    assert failure is not None
    assert "upload the job again" in failure.message


def test_a_result_without_json_form_is_a_failure() -> None:
    failure = unpack_result(run_job.pack(Result(stored_data={"what": object()}))).failure
    assert failure is not None
    assert failure.reason == "output"


def test_payload_kinds_by_variable_are_imported_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWLINE_EXTRA_PAYLOADS", "a=no_such_module:run,b=towline.testing.payloads:nothing")
    for kind in ("a", "b"):
        with pytest.raises(ConfigurationError, match="which fails"):
            payload_runner(kind)


def test_the_job_file_of_another_format_is_a_failure(tmp_path: Path) -> None:
    content = pack_job({"payload_kind": "test"}, b"{}", []).replace(b'"format":1', b'"format":99')
    failure = run_job.execute(content).failure
    assert failure is not None
    assert "99" in failure.message


def test_a_claim_is_given_once_and_may_be_given_to_nobody(tmp_path: Path) -> None:
    assert attempt_files.claim(str(tmp_path), never=True)
    assert not attempt_files.claim(str(tmp_path))
    started = attempt_files.read_started(str(tmp_path))
    assert started is not None
    assert started.never
    assert json.loads((tmp_path / STARTED_FILE).read_text())["pid"] is None


def test_an_empty_started_file_is_a_start_by_somebody_unknown(tmp_path: Path) -> None:
    (tmp_path / STARTED_FILE).touch()
    started = attempt_files.read_started(str(tmp_path))
    assert started is not None
    assert (started.pid, started.never) == (None, False)
    assert started.at == pytest.approx((tmp_path / STARTED_FILE).stat().st_mtime)


def test_a_process_is_told_from_another_one_with_its_id() -> None:
    mark = start_mark(os.getpid())
    assert is_running(os.getpid(), mark)
    assert is_running(os.getpid(), None)
    assert not is_running(os.getpid(), f"{mark}0")
    assert start_mark(2**22 + 1) is None
    assert not is_running(2**22 + 1, None)


def test_a_whole_file_replaces_the_former_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"first", b"second" * 1_000_000):
        attempt_files.write_whole(str(path), content)
        assert path.read_bytes() == content
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
