"""What squeue and sacct say, in neutral words."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from towline.workers.schedulers.batch import combined, no_answer, with_missing
from towline.workers.schedulers.frames import PRELUDE, Frame, read_frames
from towline.workers.schedulers.scheduler import EndReason, JobEnd, JobStatus, QueuedJob, QueueState, StatusAnswer

#: By user, not by ids: the controller answers that faster, an id that it has forgotten is no error, and the length of
#: the command does not depend on the number of jobs. The name comes last, because names of other jobs may have
#: anything.
STATUS_COMMAND = (
    f"{PRELUDE}SLURM_TIME_FORMAT=%s; export SLURM_TIME_FORMAT\n"
    "towline_ask squeue squeue -h -r -u \"$(id -u)\" -o '%i|%F|%T|%V|%S|%N|%r|%j'\n"
)

_ACCOUNTING_FIELDS = (
    *("JobID", "State", "ExitCode", "DerivedExitCode", "Submit", "Start", "End"),
    *("MaxRSS", "ReqMem", "NodeList", "Reason", "JobName"),
)

#: Seconds that clocks of login nodes and of the controller may differ; two jobs with the same id are days apart.
_CLOCK_TOLERANCE_SECONDS = 300.0

#: What sacct calls a job for the first seconds, before it was told the name.
_NAME_NOT_KNOWN_YET = "allocation"

_WAITING = {"PENDING", "REQUEUED", "REQUEUE_FED", "CONFIGURING", "POWER_UP_NODE"}
_HELD = {"REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
_RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING", "RESIZING"}

#: Reasons of PENDING that no free node ends.
_HELD_REASONS = re.compile(r"Held|held|Dependency|BeginTime|Reservation|InactiveLimit|BadConstraints|Invalid")

_ENDS = {
    "TIMEOUT": EndReason.TIMEOUT,
    "DEADLINE": EndReason.TIMEOUT,
    "OUT_OF_MEMORY": EndReason.OUT_OF_MEMORY,
    "NODE_FAIL": EndReason.NODE_FAILURE,
    "BOOT_FAIL": EndReason.NODE_FAILURE,
    "PREEMPTED": EndReason.PREEMPTED,
    "LAUNCH_FAILED": EndReason.NEVER_STARTED,
}

_MESSAGES = {
    EndReason.TIMEOUT: "the job reached its time limit",
    EndReason.OUT_OF_MEMORY: "the job used more memory than it had asked for",
    EndReason.NODE_FAILURE: "a node of the job failed",
    EndReason.PREEMPTED: "the job was pre-empted by one of higher priority",
    EndReason.NEVER_STARTED: "Slurm could not start the job on its node",
}

#: What Slurm puts into the exit code when it cannot enter the folder or open the files of the job.
_LAUNCH_FAILURE_SIGNAL = 53


#: What Slurm puts into the derived exit code when a step ran out of memory.
_OUT_OF_MEMORY_SIGNAL = 125


def read_status(output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
    """What squeue says of jobs that wait or run."""
    frame = read_frames(output).get("squeue")
    # squeue reports an unknown user with exit code 0 and nothing on standard output.
    if frame is None or frame.exit_code or "error:" in frame.error:
        return no_answer(output, "squeue", jobs)
    listed = _by_job([line.split("|", 7) for line in frame.output.splitlines() if line.count("|") >= 7])
    found: dict[str, JobStatus] = {}
    for job in jobs:
        rows = [row for row in listed.get(job.queue_id, []) if row[7].endswith(f".{job.mark}")]
        if rows:
            found[job.queue_id] = combined(job.queue_id, [_queue_status(row) for row in rows])
    return with_missing(jobs, found, "squeue does not list it any more")


def _by_job(rows: Sequence[Sequence[str]]) -> Mapping[str, list[Sequence[str]]]:
    """Rows by their own id, and those of the tasks of an array by the id of the array too."""
    listed: dict[str, list[Sequence[str]]] = defaultdict(list)
    for row in rows:
        for queue_id in {row[0], row[1]}:
            listed[queue_id].append(row)
    return listed


def _queue_status(row: Sequence[str]) -> JobStatus:
    queue_id, _, raw_state, submitted, started, nodes, reason, _ = row
    state = _live_state(raw_state, reason)
    return JobStatus(
        queue_id,
        state,
        raw_state,
        None if reason in ("None", "") else reason,
        nodes or None,
        _time(submitted),
        # Of a job that waits it is when the scheduler expects to start it.
        _time(started) if state is QueueState.RUNNING else None,
    )


def _live_state(raw_state: str, reason: str) -> QueueState:
    if raw_state in _RUNNING:
        return QueueState.RUNNING
    if raw_state in _HELD:
        return QueueState.HELD
    if raw_state in _WAITING:
        return QueueState.HELD if _HELD_REASONS.search(reason) else QueueState.QUEUED
    return QueueState.UNKNOWN


def accounting_command(jobs: Sequence[QueuedJob]) -> str:
    """One query for all jobs that left the queue."""
    ids = sorted({job.queue_id for job in jobs if re.fullmatch(r"\d+(_\d+)?", job.queue_id)}) or ["0"]
    # Duplicates: when an id was given again, the row of our job is not the newest.
    return (
        f"{PRELUDE}SLURM_TIME_FORMAT=%s; export SLURM_TIME_FORMAT\n"
        f"towline_ask sacct sacct -n -P -D -j {','.join(ids)} -o {','.join(_ACCOUNTING_FIELDS)}\n"
    )


@dataclass(frozen=True, slots=True)
class _Record:
    """A job or step in the accounting."""

    job: Mapping[str, str]
    steps: tuple[Mapping[str, str], ...]


def read_accounting(output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
    """How jobs ended that left the queue."""
    frame = read_frames(output).get("sacct")
    if frame is None or frame.exit_code:
        return no_answer(output, "sacct", jobs)
    records = _records(frame)
    found: dict[str, JobStatus] = {}
    for job in jobs:
        own = [record for record in records.get(job.queue_id, []) if _is_of(record.job, job)]
        # The newest row of each task: older ones are of runs before the scheduler started it again.
        tasks = {record.job["JobID"]: _ended_status(record) for record in own}
        if tasks:
            found[job.queue_id] = combined(job.queue_id, list(tasks.values()))
    answer = with_missing(jobs, found, "sacct has no record of it yet")
    unfinished = [queue_id for queue_id, status in found.items() if status.state is QueueState.UNKNOWN]
    return StatusAnswer(answer.statuses, (*answer.missing, *unfinished))


def _records(frame: Frame) -> Mapping[str, list[_Record]]:
    width = len(_ACCOUNTING_FIELDS)
    rows = [line.split("|", width - 1) for line in frame.output.splitlines() if line.count("|") >= width - 1]
    found: dict[str, list[_Record]] = defaultdict(list)
    for row in (dict(zip(_ACCOUNTING_FIELDS, cells, strict=True)) for cells in rows):
        queue_id, _, step = row["JobID"].partition(".")
        if step and found[queue_id]:
            last = found[queue_id][-1]
            found[queue_id][-1] = _Record(last.job, (*last.steps, row))
        elif not step:
            found[queue_id].append(_Record(row, ()))
    for queue_id in [key for key in found if "_" in key]:
        found[queue_id.partition("_")[0]].extend(found[queue_id])
    return found


def _is_of(row: Mapping[str, str], job: QueuedJob) -> bool:
    if row["JobName"].endswith(f".{job.mark}"):
        return True
    if row["JobName"] != _NAME_NOT_KNOWN_YET or job.submitted_at is None:
        return False
    submitted = _time(row["Submit"])
    return submitted is not None and abs(submitted - job.submitted_at) < _CLOCK_TOLERANCE_SECONDS


def _ended_status(record: _Record) -> JobStatus:
    row = record.job
    raw_state = row["State"]
    started, ended = _time(row["Start"]), _time(row["End"])
    has_run = row["NodeList"] not in ("", "None assigned") and started is not None
    # A row that is only half written has the final state already, but neither a time nor the right exit code.
    end = None if ended is None else _end(raw_state, record, has_run=has_run)
    return JobStatus(
        row["JobID"],
        # Accounting lags behind: what it says of jobs that have not ended is older than what squeue said.
        QueueState.UNKNOWN if end is None else QueueState.ENDED,
        raw_state,
        None if row["Reason"] in ("None", "") else row["Reason"],
        None if row["NodeList"] in ("", "None assigned") else row["NodeList"],
        _time(row["Submit"]),
        started,
        ended if end is not None else None,
        max((size for step in record.steps if (size := _bytes(step["MaxRSS"])) is not None), default=None),
        end,
    )


def _end(raw_state: str, record: _Record, *, has_run: bool) -> JobEnd | None:
    state, _, by = raw_state.partition(" by ")
    code, signal = _codes(record.job["ExitCode"])
    if state == "COMPLETED":
        return JobEnd(EndReason.COMPLETED, 0, message=_about_steps(record.job["DerivedExitCode"]))
    if state == "FAILED":
        return _failure(code, signal, record)
    if state == "CANCELLED":
        # Without a name and without a node it was the scheduler: a dependency that cannot come true.
        if not by and not has_run:
            why = record.job["Reason"]
            return JobEnd(EndReason.NEVER_STARTED, message=f"Slurm took the job out of the queue: {why}")
        return JobEnd(EndReason.CANCELLED, None, signal, by or None, f"the job was cancelled{_by(by)}")
    reason = _ENDS.get(state)
    return None if reason is None else JobEnd(reason, code or None, signal, message=_MESSAGES[reason])


def _failure(code: int | None, signal: int | None, record: _Record) -> JobEnd | None:
    if signal == _LAUNCH_FAILURE_SIGNAL:
        return JobEnd(
            EndReason.NEVER_STARTED,
            message="Slurm could not enter the run folder of the job on its node, or not open its output files",
        )
    if signal and _ended_by_slurm(record) and record.job["ReqMem"].endswith("?"):
        # For the first seconds sacct does not know what was asked for.
        return None
    if signal and _used_too_much(record):
        return JobEnd(EndReason.OUT_OF_MEMORY, None, signal, message=_MESSAGES[EndReason.OUT_OF_MEMORY])
    if signal:
        return JobEnd(EndReason.SIGNAL, None, signal, message=f"signal {signal} ended the job")
    return JobEnd(EndReason.EXIT_CODE, code, message=f"the job ended with exit code {code}")


def _used_too_much(record: _Record) -> bool:
    """Whether Slurm ended it for its memory where nodes do not limit it: it says so only in the output of the job."""
    asked = _bytes(record.job["ReqMem"])
    peaks = [size for step in record.steps if (size := _bytes(step["MaxRSS"])) is not None]
    return _ended_by_slurm(record) and asked is not None and any(peak > asked for peak in peaks)


def _ended_by_slurm(record: _Record) -> bool:
    return any(step["State"] == "CANCELLED by 0" for step in record.steps)


def _about_steps(derived: str) -> str:
    code, signal = _codes(derived)
    if signal == _OUT_OF_MEMORY_SIGNAL:
        return "the script ended with exit code 0, but a step of it ran out of memory"
    if code or signal:
        return f"the script ended with exit code 0, but a step of it with {f'signal {signal}' if signal else code}"
    return ""


def _by(who: str) -> str:
    return f" by user {who}" if who else ""


def _codes(text: str) -> tuple[int | None, int | None]:
    """Exit code and signal from ``code:signal``. sacct takes 128 off exit codes above it, so 11 may have been 139."""
    match = re.fullmatch(r"(\d+):(\d+)", text)
    return (int(match[1]), int(match[2]) or None) if match else (None, None)


def _time(text: str) -> float | None:
    return float(text) if text.isdigit() else None


_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5}


def _bytes(text: str) -> int | None:
    """A size as sacct writes it; older releases put `n` or `c` after it, for node and core."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGTP]?)[nc]?", text)
    return int(float(match[1]) * _UNITS[match[2]]) if match else None
