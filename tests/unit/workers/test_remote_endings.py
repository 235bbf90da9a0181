"""What exit records, accounting and files of a job on another machine come to."""

import base64
from dataclasses import replace

import orjson
import pytest

from towline.core.records import ExitRecord, pack_job, unpack_result
from towline.core.run_folder import EXIT_FILE, JOB_FILE, STARTED_FILE
from towline.workers.remote.endings import exit_record, result_of
from towline.workers.remote.evidence import Evidence
from towline.workers.remote.job_scripts import OUTPUTS_FILE, TAIL_FILES
from towline.workers.schedulers.scheduler import QUEUE_ID_FILE, EndReason, JobEnd, JobStatus, QueueState

NOTHING = Evidence({})


def own(exit_code: int, **details: object) -> Evidence:
    record = ExitRecord(exit_code, None, "exited", 1.0, 2.0, "n1")
    return Evidence({EXIT_FILE: orjson.dumps(replace(record, **details))})  # type: ignore[arg-type]


def accounted(reason: EndReason, message: str = "", **details: object) -> JobStatus:
    end = JobEnd(reason, message=message, **details)  # type: ignore[arg-type]
    return JobStatus("7", QueueState.ENDED, "X", nodes="n2", started_at=1.0, ended_at=3.0, end=end)


def test_its_own_record_is_believed() -> None:
    record = exit_record(own(3), None, cancelled=False)
    assert (record.exit_code, record.signal, record.reason, record.host) == (3, None, "exited", "n1")


@pytest.mark.parametrize(("code", "signal"), [(139, 11), (137, 9), (143, 15)])
def test_what_a_shell_says_of_a_signal_is_the_signal(code: int, signal: int) -> None:
    record = exit_record(own(code), None, cancelled=False)
    assert (record.exit_code, record.signal, record.reason) == (None, signal, "signal")


def test_an_exit_code_that_is_no_signal_stays_one() -> None:
    assert exit_record(own(255), None, cancelled=False).exit_code == 255


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (EndReason.TIMEOUT, "timeout"),
        (EndReason.OUT_OF_MEMORY, "out_of_memory"),
        (EndReason.NODE_FAILURE, "node_failure"),
        (EndReason.PREEMPTED, "preempted"),
        (EndReason.CANCELLED, "cancelled"),
        (EndReason.EXIT_CODE, "signal"),
    ],
)
def test_accounting_knows_why_a_job_was_ended(reason: EndReason, expected: str) -> None:
    record = exit_record(own(143), accounted(reason, "it says"), cancelled=False)
    assert record.reason == expected


def test_a_success_stays_one_whatever_accounting_says() -> None:
    assert exit_record(own(0), accounted(EndReason.TIMEOUT), cancelled=False).reason == "exited"


def test_sacct_folds_the_exit_code_and_the_record_does_not() -> None:
    record = exit_record(own(139), accounted(EndReason.EXIT_CODE, exit_code=11), cancelled=False)
    assert (record.signal, record.exit_code) == (11, None)


def test_without_a_record_accounting_tells_it_all() -> None:
    record = exit_record(NOTHING, accounted(EndReason.NODE_FAILURE, "a node of the job failed"), cancelled=False)
    assert (record.reason, record.message, record.host) == ("node_failure", "a node of the job failed", "n2")


def test_what_nobody_knows_has_vanished_unless_we_ended_it() -> None:
    assert exit_record(NOTHING, None, cancelled=False).reason == "vanished"
    assert exit_record(NOTHING, None, cancelled=True).reason == "cancelled"
    assert exit_record(own(143), None, cancelled=True).reason == "cancelled"
    assert exit_record(own(0), None, cancelled=True).reason == "exited"


def command_package(**payload: object) -> bytes:
    header = {"uuid": "u", "index": 1, "name": "n", "payload_kind": "command"}
    return pack_job(header, orjson.dumps({"argv": ["true"], **payload}), [])


def listed(*files: tuple[int, str]) -> bytes:
    return b"".join(b"%d 5 abc %s\n" % (number, base64.b64encode(name.encode())) for number, name in files)


def output_of(evidence: Evidence, package: bytes | None) -> dict[str, object]:
    record = exit_record(evidence, None, cancelled=False)
    result = unpack_result(result_of("command", "/w/r", package, record, evidence) or b"")
    assert result.failure is None, result.failure
    found: dict[str, object] = orjson.loads(result.output or b"")["output"]
    return found


def test_outputs_of_a_command_are_named_with_size_and_checksum() -> None:
    files = {**own(0).files, OUTPUTS_FILE: listed((0, "b 1.txt"), (0, "a.txt"), (1, "a.txt")), TAIL_FILES[0]: b"end\n"}
    output = output_of(Evidence(files), command_package(outputs=["*.txt", "a*"]))
    assert output["stdout_tail"] == "end\n"
    assert output["files"] == {
        "a.txt": {"path": "/w/r/a.txt", "size_bytes": 5, "sha256": "abc"},
        "b 1.txt": {"path": "/w/r/b 1.txt", "size_bytes": 5, "sha256": "abc"},
    }


def test_after_an_adoption_the_job_file_comes_along() -> None:
    files = {**own(0).files, JOB_FILE: command_package()}
    assert output_of(Evidence(files), None)["exit_code"] == 0


def test_an_output_that_is_not_there_is_a_failure() -> None:
    evidence = Evidence({**own(0).files, OUTPUTS_FILE: listed((0, "a.txt"))})
    record = exit_record(evidence, None, cancelled=False)
    package = command_package(outputs=["*.txt", "*.csv"])
    failure = unpack_result(result_of("command", "/w/r", package, record, evidence) or b"").failure
    assert failure is not None
    assert (failure.reason, "'*.csv'" in failure.message) == ("output", True)


def test_files_that_are_half_written_are_none() -> None:
    evidence = Evidence({EXIT_FILE: b'{"exit_code": 0, "sig', STARTED_FILE: b"", QUEUE_ID_FILE: b""})
    assert (evidence.exit, evidence.started_at, evidence.queue_id, evidence.never) == (None, None, None, False)
    assert evidence.tried
    assert Evidence({STARTED_FILE: b'{"pid":null,"at":1}'}).never
    assert Evidence({QUEUE_ID_FILE: b"12 1700000000\n"}).queue_id == ("12", 1700000000.0)
