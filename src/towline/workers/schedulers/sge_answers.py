"""What qstat and qacct of Grid Engine say, in neutral words."""

import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from towline.workers.schedulers.batch import combined, no_answer, with_missing
from towline.workers.schedulers.frames import PRELUDE, read_frames
from towline.workers.schedulers.scheduler import EndReason, JobEnd, JobStatus, QueuedJob, QueueState, StatusAnswer

#: qstat cannot list some ids only. Tasks of arrays have a row each, and times are asked for in UTC.
STATUS_COMMAND = f'{PRELUDE}TZ=UTC0; export TZ\ntowline_ask qstat qstat -xml -g d -u "$(id -un)"\n'

#: qacct reads a file with all jobs of the site, so it is asked once, for the names that towline gives, and what is not
#: wanted is left there. It fails where it has nothing at all.
_ACCOUNTING = """TZ=UTC0; export TZ
towline_accounting() {
  towline_said=$(qacct -o "$(id -un)" -j '*.tow*' 2>&1); towline_failed=$?
  if [ $towline_failed != 0 ]; then
    case $towline_said in
      *"not found"*|*"no jobs running since startup"*) return 0;;
      *) printf '%s\\n' "$towline_said" >&2; return $towline_failed;;
    esac
  fi
  printf '%s\\n' "$towline_said" | awk -v wanted=" $1 " '
    /^====/ { if (keep) printf "%s", block; block = ""; keep = 0 }
    { block = block $0 "\\n" }
    $1 == "jobnumber" && index(wanted, " " $2 " ") { keep = 1 }
    END { if (keep) printf "%s", block }'
}
"""

#: `failed` of qacct, where it means that the script was not run: from the first preparation to the start of the shell.
_BEFORE_THE_JOB = frozenset({1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 18, 19, 21, 26, 27, 28, 29})
_APPLICATION_ERROR = 30
_LIMIT_ENFORCED = 37
#: Codes after which the job is run again.
_RUN_AGAIN = frozenset({20, 22, 23, 24, 25})

_SHELL_SIGNAL_BASE = 128
_LAST_SIGNAL = 64


def read_status(output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
    """What qstat says of jobs that wait or run."""
    frame = read_frames(output).get("qstat")
    if frame is None or frame.exit_code:
        return no_answer(output, "qstat", jobs)
    try:
        root = ElementTree.fromstring(frame.output.strip())
    except ElementTree.ParseError:
        return no_answer(output, "qstat", jobs)
    if root.tag != "job_info":
        return no_answer(output, "qstat", jobs)
    listed: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for element in root.iter("job_list"):
        row = {child.tag: (child.text or "").strip() for child in element}
        number = row.get("JB_job_number", "")
        listed[number].append(row)
        if row.get("tasks"):
            listed[f"{number}.{row['tasks']}"].append(row)
    found = {}
    for job in jobs:
        rows = [row for row in listed.get(job.queue_id, []) if row.get("JB_name", "").endswith(f".{job.mark}")]
        if rows:
            found[job.queue_id] = combined(job.queue_id, [_queue_status(job.queue_id, row) for row in rows])
    return with_missing(jobs, found, "qstat does not list it any more")


def _queue_status(queue_id: str, row: Mapping[str, str]) -> JobStatus:
    raw_state = row.get("state", "")
    state = _state(raw_state)
    end = None
    if state is QueueState.ENDED:
        message = (
            f"Grid Engine put the job into its error state ({raw_state}) and will not run it; "
            f"`qstat -j {queue_id}` says why, and `qdel {queue_id}` takes it out of the queue"
        )
        end = JobEnd(EndReason.NEVER_STARTED, message=message)
    return JobStatus(
        queue_id,
        state,
        raw_state or None,
        None,
        row.get("queue_name", "").partition("@")[2] or None,
        _stamp(row.get("JB_submission_time", "")),
        _stamp(row.get("JAT_start_time", "")) if state is QueueState.RUNNING else None,
        end=end,
    )


def _state(letters: str) -> QueueState:
    if not letters or not set(letters) <= set("EhqwtrRsSTd"):
        return QueueState.UNKNOWN
    if "E" in letters:
        return QueueState.ENDED
    if "h" in letters:
        return QueueState.HELD
    return QueueState.QUEUED if "w" in letters else QueueState.RUNNING


def accounting_command(queue_ids: Sequence[str]) -> str:
    """One query for all jobs that left the queue."""
    numbers = " ".join(sorted({one.partition(".")[0] for one in queue_ids}))
    return f"{PRELUDE}{_ACCOUNTING}towline_ask qacct towline_accounting '{numbers}'\n"


def read_accounting(output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
    """How jobs ended that left the queue. A job that was deleted before it started is never recorded."""
    frame = read_frames(output).get("qacct")
    if frame is None or frame.exit_code:
        return no_answer(output, "qacct", jobs)
    records: dict[str, dict[str, Mapping[str, str]]] = defaultdict(dict)
    for block in re.split(r"^=+$", frame.output, flags=re.MULTILINE):
        row = {key: value.strip() for key, value in re.findall(r"^(\S+)\s+(.*)$", block, re.MULTILINE)}
        number, task = row.get("jobnumber", ""), row.get("taskid", "undefined")
        if number:
            # The newest record of each task: older ones are of runs before it was started again.
            records[number][task] = row
            if task != "undefined":
                records[f"{number}.{task}"] = {task: row}
    found = {}
    for job in jobs:
        rows = [row for row in records.get(job.queue_id, {}).values() if row["jobname"].endswith(f".{job.mark}")]
        if rows:
            found[job.queue_id] = combined(job.queue_id, [_ended_status(job.queue_id, row) for row in rows])
    answer = with_missing(jobs, found, "qacct has no record of it (yet)")
    unfinished = [queue_id for queue_id, status in found.items() if status.state is QueueState.UNKNOWN]
    return StatusAnswer(answer.statuses, (*answer.missing, *unfinished))


def _ended_status(queue_id: str, row: Mapping[str, str]) -> JobStatus:
    end = _end(row)
    return JobStatus(
        queue_id,
        QueueState.UNKNOWN if end is None else QueueState.ENDED,
        row.get("failed"),
        None,
        row.get("hostname"),
        _time(row.get("qsub_time", "")),
        _time(row.get("start_time", "")),
        _time(row.get("end_time", "")) if end is not None else None,
        _kilobytes(row.get("ru_maxrss", "")),
        end,
    )


def _end(row: Mapping[str, str]) -> JobEnd | None:
    failed, _, why = row.get("failed", "").partition(":")
    status = re.match(r"\d+", row.get("exit_status", ""))
    if not failed.strip().isdigit() or status is None:
        return None
    number, code, why = int(failed), int(status[0]), why.strip()
    if number in _RUN_AGAIN:
        return None
    if number == _LIMIT_ENFORCED:
        return JobEnd(EndReason.TIMEOUT, message=f"the job reached a limit: {why}")
    if number in _BEFORE_THE_JOB:
        return JobEnd(EndReason.NEVER_STARTED, message=f"Grid Engine could not start the job: {why}")
    if number == 0 and code == 0:
        return JobEnd(EndReason.COMPLETED, 0)
    if _SHELL_SIGNAL_BASE < code <= _SHELL_SIGNAL_BASE + _LAST_SIGNAL:
        signal = code - _SHELL_SIGNAL_BASE
        hint = "; Grid Engine does not tell whether the job was deleted or killed" if number else ""
        return JobEnd(EndReason.SIGNAL, code, signal, message=f"signal {signal} ended the job{hint}")
    return JobEnd(EndReason.EXIT_CODE, code, message=f"the job ended with exit code {code}")


def _stamp(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _time(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _kilobytes(text: str) -> int | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:KB)?", text)
    return int(float(match[1]) * 1024) or None if match else None
