"""What qstat of PBS says, in neutral words."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from towline.workers.schedulers.batch import combined, no_answer, with_missing
from towline.workers.schedulers.frames import PRELUDE, Frame, read_frames
from towline.workers.schedulers.scheduler import EndReason, JobEnd, JobStatus, QueuedJob, QueueState, StatusAnswer

#: What is said of a job that is not in the queue any more.
ABOUT_ENDED = re.compile(r"Unknown Job Id|[Jj]ob has finished|Request invalid for state of job")

#: Exit codes of qstat when it answered and some jobs were not in the queue: 35 finished, 153 unknown.
_ANSWERED = (0, 35, 153)

_QUEUED, _HELD, _RUNNING, _ENDED = "QT", "HW", "RESUB", "FX"

#: A job in the JSON of qstat, as it is indented; qstat does not always escape what users put into their environment.
_BLOCK = re.compile(r'^\t\t"([^"]+)":\t(\{\n.*?^\t\t\})', re.MULTILINE | re.DOTALL)

#: Sub-state of a job that was deleted.
_DELETED_SUBSTATE = 91

#: Exit codes that PBS makes itself (JOB_EXEC_KILL_… in its sources and manuals); other negative ones mean that the job
#: could not be started.
_LIMITS = {
    -29: (EndReason.TIMEOUT, "the job reached its time limit"),
    -28: (EndReason.TIMEOUT, "the job reached its limit of processor time"),
    -27: (EndReason.OUT_OF_MEMORY, "the job used more memory than it had asked for"),
    -26: (EndReason.OUT_OF_MEMORY, "the job used more virtual memory than it had asked for"),
    -25: (EndReason.SIGNAL, "PBS ended the job because it used more processors than it had asked for"),
    -24: (EndReason.SIGNAL, "PBS ended the job because it used more processors than it had asked for"),
}

#: From here on it is this number plus a signal.
_SIGNAL_BASE = 256
_SHELL_SIGNAL_BASE = 128
_LAST_SIGNAL = 64


def command(frame: str, options: str, queue_ids: Sequence[str]) -> str:
    """One query; times are printed in the time zone of whoever asks, so it is asked in UTC."""
    ids = " ".join(shlex.quote(one) for one in sorted({_array_of(one) for one in queue_ids}))
    # Without ids it would list the jobs of everybody.
    return f"{PRELUDE}TZ=UTC0; export TZ\ntowline_ask {frame} qstat {options} {ids or '0'}\n"


def _array_of(queue_id: str) -> str:
    """Tasks are listed with their array, all of them by one id."""
    return re.sub(r"\[\d+\]", "[]", queue_id)


def read_status(output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
    """What qstat says of jobs that wait or run; ended tasks of an array that goes on are listed there too."""
    return _read(output, "qstat", jobs, "qstat does not list it any more")


def read_accounting(output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
    """How jobs ended that left the queue."""
    return _read(output, "history", jobs, "PBS has no record of it")


def _read(output: str, name: str, jobs: Sequence[QueuedJob], why: str) -> StatusAnswer:
    frame = read_frames(output).get(name)
    if frame is None or not _is_good(frame):
        return no_answer(output, name, jobs)
    documents = _documents(frame.output)
    if documents is None:
        return no_answer(output, name, jobs)
    found: dict[str, JobStatus] = {}
    for job in jobs:
        listed = documents.get(job.queue_id)
        if job.queue_id in documents and listed is None:
            found[job.queue_id] = JobStatus(job.queue_id, QueueState.UNKNOWN, reason="qstat's answer cannot be read")
        elif listed is not None and str(listed.get("Job_Name", "")).endswith(f".{job.mark}"):
            found[job.queue_id] = _whole(job.queue_id, listed, documents)
    answer = with_missing(jobs, found, why)
    unfinished = [one for one, status in found.items() if name == "history" and status.state is QueueState.UNKNOWN]
    return StatusAnswer(answer.statuses, (*answer.missing, *unfinished))


def _is_good(frame: Frame) -> bool:
    if frame.exit_code not in _ANSWERED:
        return False
    return all(ABOUT_ENDED.search(line) for line in frame.error.splitlines() if line.strip())


def _documents(output: str) -> dict[str, dict[str, Any] | None] | None:
    """What is said of each job; None for one that cannot be read, and None when nothing can be."""
    start = output.find("{")
    if start < 0 or '"pbs_version"' not in output:
        return None
    try:
        whole = json.loads(output[start:], strict=False)
        return dict(whole.get("Jobs", {}))
    except ValueError:
        blocks = {match[1]: _document(match[2]) for match in _BLOCK.finditer(output)}
        return blocks or None


def _document(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text, strict=False)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _whole(queue_id: str, listed: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any] | None]) -> JobStatus:
    """The status of a job; that of an array comes from its tasks, because its own exit code is that of one of them."""
    if "[]" not in queue_id or str(listed.get("job_state")) not in _ENDED:
        return _status(queue_id, listed)
    before, _, after = queue_id.partition("[]")
    task = re.compile(rf"{re.escape(before)}\[\d+\]{re.escape(after)}")
    tasks = [_status(key, found) for key, found in documents.items() if found is not None and task.fullmatch(key)]
    return combined(queue_id, tasks) if tasks else _status(queue_id, listed)


def _status(queue_id: str, job: Mapping[str, Any]) -> JobStatus:
    raw_state = str(job.get("job_state", ""))
    end = _end(job) if raw_state and raw_state in _ENDED else None
    state = QueueState.ENDED if end is not None else _live_state(raw_state)
    used = job.get("resources_used")
    return JobStatus(
        queue_id,
        state,
        raw_state or None,
        job.get("comment"),
        _nodes(job.get("exec_host")),
        _time(job.get("ctime")),
        _time(job.get("stime")),
        (_time(job.get("obittime")) or _history_time(job)) if end is not None else None,
        _bytes(used.get("mem")) if end is not None and isinstance(used, dict) else None,
        end,
    )


def _live_state(raw_state: str) -> QueueState:
    for letters, state in ((_QUEUED, QueueState.QUEUED), (_HELD, QueueState.HELD), (_RUNNING, QueueState.RUNNING)):
        if raw_state and raw_state in letters:
            return state
    return QueueState.UNKNOWN


def _end(job: Mapping[str, Any]) -> JobEnd:
    comment, code = str(job.get("comment", "")), job.get("Exit_status")
    deleted = str(job.get("substate")) == str(_DELETED_SUBSTATE)
    if deleted:
        match = re.search(r"terminated by ([^@\s]+)", comment)
        who = match[1] if match else None
        signal = _signal(code)
        return JobEnd(EndReason.CANCELLED, None, signal, who, f"the job was cancelled{f' by {who}' if who else ''}")
    if not isinstance(code, int):
        depends = f": it depends on {job['depend']}" if job.get("depend") else ""
        return JobEnd(EndReason.NEVER_STARTED, message=f"PBS took the job out of the queue{depends}")
    return _exit(code)


def _exit(code: int) -> JobEnd:
    if code == 0:
        return JobEnd(EndReason.COMPLETED, 0)
    if code in _LIMITS:
        reason, message = _LIMITS[code]
        return JobEnd(reason, None, message=message)
    if code < 0:
        return JobEnd(EndReason.NEVER_STARTED, message=f"PBS could not start the job on its node (it says {code})")
    if (signal := _signal(code)) is not None:
        # 128 + n may also be the script's own exit code, that of a program in it that a signal ended.
        own = code if code < _SIGNAL_BASE else None
        return JobEnd(EndReason.SIGNAL, own, signal, message=f"signal {signal} ended the job")
    return JobEnd(EndReason.EXIT_CODE, code, message=f"the job ended with exit code {code}")


def _signal(code: object) -> int | None:
    if not isinstance(code, int):
        return None
    for base in (_SIGNAL_BASE, _SHELL_SIGNAL_BASE):
        if base < code <= base + _LAST_SIGNAL:
            return code - base
    return None


def _nodes(exec_host: object) -> str | None:
    """Names of nodes from ``n1/0*2+n2/0*2``."""
    if not isinstance(exec_host, str):
        return None
    return ",".join(dict.fromkeys(part.partition("/")[0] for part in exec_host.split("+")))


def _time(text: object) -> float | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _history_time(job: Mapping[str, Any]) -> float | None:
    stamp = job.get("history_timestamp")
    return float(stamp) if isinstance(stamp, int) else None


def _bytes(text: object) -> int | None:
    match = re.fullmatch(r"(\d+)(kb|mb|gb|tb|b)", str(text))
    units = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3, "tb": 1024**4}
    return int(match[1]) * units[match[2]] if match else None
