"""What is made of sacct and squeue, for ends that no test can provoke in seconds; rows as a real 22.05 wrote them."""

import base64
from dataclasses import replace

import pytest

from towline.workers.schedulers.scheduler import EndReason, QueuedJob, QueueState, StatusAnswer
from towline.workers.schedulers.slurm import Slurm

SCHEDULER = Slurm()
JOB = QueuedJob("1780", "tow0123456789ab.1.1", 1795231000.0)


def framed(name: str, output: str, exit_code: int = 0, error: str = "") -> str:
    encoded = base64.b64encode(error.encode()).decode() or "-"
    return f"Welcome\n\n@towline@ begin {name}\n{output}\n@towline@ end {name} {exit_code} {encoded}\n"


def row(state: str, code: str = "0:0", derived: str = "0:0", *, end: str = "1795231080", **changed: str) -> str:
    cells = {
        "JobID": "1780",
        "State": state,
        "ExitCode": code,
        "DerivedExitCode": derived,
        "Submit": "1795231001",
        "Start": "1795231002",
        "End": end,
        "MaxRSS": "",
        "ReqMem": "100M",
        "NodeList": "cn1",
        "Reason": "None",
        "JobName": f"plain.{JOB.mark}",
        **changed,
    }
    return "|".join(cells.values()) + "\n"


def accounting(*rows: str, job: QueuedJob = JOB) -> StatusAnswer:
    return SCHEDULER.read_accounting(framed("sacct", "".join(rows)), [job])


@pytest.mark.parametrize(
    ("state", "code", "reason", "exit_code", "signal"),
    [
        ("COMPLETED", "0:0", EndReason.COMPLETED, 0, None),
        ("FAILED", "3:0", EndReason.EXIT_CODE, 3, None),
        ("FAILED", "0:9", EndReason.SIGNAL, None, 9),
        ("FAILED", "0:53", EndReason.NEVER_STARTED, None, None),
        ("TIMEOUT", "0:0", EndReason.TIMEOUT, None, None),
        ("DEADLINE", "0:0", EndReason.TIMEOUT, None, None),
        ("OUT_OF_MEMORY", "0:125", EndReason.OUT_OF_MEMORY, None, 125),
        ("NODE_FAIL", "0:0", EndReason.NODE_FAILURE, None, None),
        ("BOOT_FAIL", "0:0", EndReason.NODE_FAILURE, None, None),
        ("PREEMPTED", "0:15", EndReason.PREEMPTED, None, 15),
        ("CANCELLED by 1001", "0:15", EndReason.CANCELLED, None, 15),
    ],
)
def test_each_end_has_its_reason(
    state: str, code: str, reason: EndReason, exit_code: int | None, signal: int | None
) -> None:
    status = accounting(row(state, code)).statuses[JOB.queue_id]
    assert status.state is QueueState.ENDED
    assert status.raw_state == state
    assert status.end is not None
    assert (status.end.reason, status.end.exit_code, status.end.signal) == (reason, exit_code, signal)


def test_a_step_that_ran_out_of_memory_is_mentioned() -> None:
    end = accounting(row("COMPLETED", "0:0", "0:125")).statuses[JOB.queue_id].end
    assert end is not None
    assert "out of memory" in end.message


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="empty"),
        pytest.param([row("PENDING", end="Unknown")], id="pending"),
        pytest.param([row("RUNNING", end="Unknown")], id="running"),
        pytest.param([row("REQUEUED")], id="requeued"),
        pytest.param([row("FAILED", end="Unknown")], id="half written"),
        pytest.param([row("QUANTUM_FLUX")], id="unheard of"),
        pytest.param([row("FAILED", "1:0", JobName="somebody else")], id="another name"),
        pytest.param([row("FAILED", "1:0", JobName="allocation", Submit="1700000000")], id="another time"),
        pytest.param(["not what sacct says\n"], id="nonsense"),
    ],
)
def test_what_is_no_evidence_ends_no_job(rows: list[str]) -> None:
    answer = accounting(*rows)
    assert answer.problem is None
    assert answer.statuses[JOB.queue_id].state is QueueState.UNKNOWN
    assert answer.missing == (JOB.queue_id,)


def test_a_row_without_its_name_yet_is_known_by_its_time() -> None:
    assert accounting(row("COMPLETED", JobName="allocation")).statuses[JOB.queue_id].state is QueueState.ENDED


def test_the_newest_of_several_runs_counts_and_other_jobs_of_the_id_do_not() -> None:
    rows = (row("NODE_FAIL"), row("COMPLETED"), row("FAILED", "1:0", JobName="somebody else"))
    end = accounting(*rows).statuses[JOB.queue_id].end
    assert end is not None
    assert end.reason is EndReason.COMPLETED


def test_memory_is_the_largest_of_the_steps() -> None:
    steps = [row("COMPLETED", JobID=f"1780.{step}", MaxRSS=size) for step, size in (("batch", "5M"), ("0", "7168K"))]
    assert accounting(row("COMPLETED"), *steps).statuses[JOB.queue_id].peak_memory_bytes == 7 * 1024**2


def test_a_job_that_slurm_ended_for_its_memory_waits_for_what_it_asked_for() -> None:
    step = row("CANCELLED by 0", "0:9", JobID="1780.batch", MaxRSS="316952K")
    early = accounting(row("FAILED", "0:9", ReqMem="16?"), step)
    assert early.missing == (JOB.queue_id,)
    end = accounting(row("FAILED", "0:9"), step).statuses[JOB.queue_id].end
    assert end is not None
    assert end.reason is EndReason.OUT_OF_MEMORY


def test_an_error_of_sacct_is_a_problem_of_the_worker() -> None:
    answer = SCHEDULER.read_accounting(framed("sacct", "", 1, "Connection refused"), [JOB])
    assert answer.problem is not None
    assert "Connection refused" in answer.problem
    assert answer.missing == ()


@pytest.mark.parametrize(
    ("raw_state", "reason", "state"),
    [
        ("PENDING", "Priority", QueueState.QUEUED),
        ("PENDING", "Resources", QueueState.QUEUED),
        ("PENDING", "JobHeldUser", QueueState.HELD),
        ("PENDING", "DependencyNeverSatisfied", QueueState.HELD),
        ("PENDING", "job requeued in held state", QueueState.HELD),
        ("COMPLETING", "None", QueueState.RUNNING),
        ("SUSPENDED", "None", QueueState.RUNNING),
        ("FLUX", "None", QueueState.UNKNOWN),
    ],
)
def test_each_state_has_its_word(raw_state: str, reason: str, state: QueueState) -> None:
    other = replace(JOB, queue_id="9")
    lines = [
        f"1780|1780|{raw_state}|1795231001|1795231002|cn1|{reason}|plain.{JOB.mark}",
        f"9|9|RUNNING|1795231001|1795231002|cn1|None|odd | na|me.{JOB.mark}",
        "8|8|RUNNING|1|2|cn1|None|||||",
    ]
    answer = SCHEDULER.read_status(framed("squeue", "\n".join(lines) + "\n"), [JOB, other])
    assert answer.statuses["1780"].state is state
    assert answer.statuses["1780"].raw_state == raw_state
    # One odd state says nothing about the others.
    assert answer.statuses["9"].state is QueueState.RUNNING


def test_a_user_that_squeue_does_not_know_is_a_problem_of_the_worker() -> None:
    answer = SCHEDULER.read_status(framed("squeue", "", 0, "squeue: error: Invalid user: 4242"), [JOB])
    assert answer.problem
    assert answer.missing == ()


def test_an_array_that_was_asked_for_as_a_whole_ends_with_its_last_task() -> None:
    done, failed = row("COMPLETED", JobID="1780_1"), row("FAILED", "1:0", JobID="1780_2")
    waiting = row("PENDING", JobID="1780_[3-9]", end="Unknown")
    assert accounting(done, failed).statuses["1780"].end is not None
    assert accounting(done, failed, waiting).statuses["1780"].state is QueueState.UNKNOWN
    end = accounting(done, failed).statuses["1780"].end
    assert end is not None
    assert end.exit_code == 1
