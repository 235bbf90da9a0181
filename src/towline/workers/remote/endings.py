"""From what a job left behind, and what the accounting says, to the end that is told."""

import base64
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from towline.core.records import ExitRecord, Failure, Result, pack_result
from towline.core.run_folder import JOB_FILE, RESULT_FILE, is_own_file
from towline.on_worker import command
from towline.workers.remote.evidence import Evidence
from towline.workers.remote.job_scripts import OUTPUTS_FILE
from towline.workers.remote.value_files import read_values
from towline.workers.schedulers.scheduler import EndReason, JobEnd, JobStatus

#: What the accounting knows better than the job's own record: the record only has the signal that came of it.
_KNOWN_BETTER = {
    EndReason.TIMEOUT: "timeout",
    EndReason.OUT_OF_MEMORY: "out_of_memory",
    EndReason.NODE_FAILURE: "node_failure",
    EndReason.PREEMPTED: "preempted",
    EndReason.CANCELLED: "cancelled",
}

_REASONS = {
    **_KNOWN_BETTER,
    EndReason.COMPLETED: "exited",
    EndReason.EXIT_CODE: "exited",
    EndReason.SIGNAL: "signal",
    EndReason.NEVER_STARTED: "not_started",
}

_SIGNALS = frozenset(int(number) for number in signal.Signals)


def exit_record(evidence: Evidence, status: JobStatus | None, *, cancelled: bool) -> ExitRecord:
    """How a job ended.

    Parameters
    ----------
    status
        What the accounting says, if it was asked.
    cancelled
        Whether we ended it ourselves.
    """
    end = None if status is None else status.end
    own = evidence.exit
    if own is not None:
        record = _with_signal(own)
        if status is not None and end is not None:
            record = _corrected(record, status, end)
    elif status is not None and end is not None:
        record = _from_accounting(evidence, status, end)
    else:
        record = vanished(evidence)
    if cancelled and record.exit_code != 0 and record.reason in ("exited", "signal", "vanished"):
        record = replace(record, reason="cancelled", message="it was cancelled while it ran")
    return record


def _with_signal(record: ExitRecord) -> ExitRecord:
    """A shell says 128 + n of a program that signal n ended."""
    number = (record.exit_code or 0) - 128
    if number not in _SIGNALS:
        return record
    return replace(
        record, exit_code=None, signal=number, reason="signal" if record.reason == "exited" else record.reason
    )


def _corrected(record: ExitRecord, status: JobStatus, end: JobEnd) -> ExitRecord:
    peak = record.peak_memory_bytes or status.peak_memory_bytes
    record = replace(record, peak_memory_bytes=peak)
    if record.exit_code == 0 or record.reason not in ("exited", "signal"):
        return record
    reason = _KNOWN_BETTER.get(end.reason)
    return record if reason is None else replace(record, reason=reason, message=_sentence(end))


def _from_accounting(evidence: Evidence, status: JobStatus, end: JobEnd) -> ExitRecord:
    return ExitRecord(
        exit_code=end.exit_code,
        signal=end.signal,
        reason=_REASONS[end.reason],
        started_at=status.started_at if status.started_at is not None else evidence.started_at,
        ended_at=min(time.time(), status.ended_at or time.time()),
        host=status.nodes or "",
        peak_memory_bytes=status.peak_memory_bytes,
        message=_sentence(end),
    )


def _sentence(end: JobEnd) -> str | None:
    return end.message or None


def vanished(evidence: Evidence) -> ExitRecord:
    """The record of a job of which nothing is left but what it had written."""
    return ExitRecord(
        exit_code=None,
        signal=None,
        reason="vanished",
        started_at=evidence.started_at,
        ended_at=time.time(),
        host="",
        message="neither its process nor its scheduler knows of it any more, and it left no exit record",
    )


def cancelled_before_start() -> ExitRecord:
    """The record of a job that never started."""
    return ExitRecord(
        exit_code=None,
        signal=None,
        reason="cancelled",
        started_at=None,
        ended_at=time.time(),
        host="",
        message="it was cancelled before it started",
    )


def result_of(kind: str, run_dir: str, package: bytes | None, record: ExitRecord, evidence: Evidence) -> bytes | None:
    """Content of the result file; None when the exit record has to say it all.

    Parameters
    ----------
    package
        Content of the job file; None when it has to be in the evidence.
    """
    if kind != "command" or RESULT_FILE in evidence.files:
        # Pilots of batch workers leave the result of a command too.
        return evidence.files.get(RESULT_FILE)
    content = package or evidence.files.get(JOB_FILE)
    if content is None:
        return None
    try:
        found = command.parse(content)
        return pack_result(_command_result(found, run_dir, record, evidence))
    except command.UnusableCommand as error:
        return pack_result(Result(failure=Failure("output", str(error), evidence.error_tail or None)))


def _command_result(found: command.Command, run_dir: str, record: ExitRecord, evidence: Evidence) -> Result:
    failure = command.failure_of(found, record, evidence.error_tail)
    if failure is not None:
        return Result(failure=failure)
    patterns = found.payload.get("outputs") or ()
    listed = _listed(evidence.files.get(OUTPUTS_FILE, b""), run_dir)
    for number, pattern in enumerate(patterns):
        if not listed.get(number):
            raise command.UnusableCommand(
                f"no file matches the declared output {pattern!r}; look at what is in {run_dir} on the worker"
            )
    files = {name: entry for number in sorted(listed) for name, entry in listed[number].items()}
    values = read_values(found, evidence.files)
    traces = command.Traces(files, evidence.output_tail, evidence.error_tail, values)
    return Result(output=command.document(run_dir, found, record, traces))


def _listed(content: bytes, run_dir: str) -> dict[int, Mapping[str, Any]]:
    """Declared outputs by the number of their pattern."""
    listed: dict[int, dict[str, Any]] = {}
    for line in content.decode(errors="replace").splitlines():
        words = line.split()
        if len(words) == 4:
            name = base64.b64decode(words[3]).decode(errors="surrogateescape")
            if not is_own_file(name):
                entry = {"path": f"{run_dir}/{name}", "size_bytes": int(words[1]), "sha256": words[2]}
                listed.setdefault(int(words[0]), {})[name] = entry
    return {number: dict(sorted(files.items())) for number, files in listed.items()}
