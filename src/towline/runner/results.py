"""From the end of a process to the result of its job."""

import signal
from dataclasses import replace
from pathlib import Path

from towline.core.records import ExitRecord, Failure, Observation, Result, unpack_result
from towline.core.run_folder import ERROR_FILE, OUTPUT_FILE, RESULT_FILE

#: Ends after which a result file, if there is one, counts for nothing.
_ENDED_FROM_OUTSIDE = frozenset(
    {"timeout", "cancelled", "not_started", "out_of_memory", "node_failure", "preempted", "interrupted"}
)

#: A process that was killed this near to its limit of memory was killed for it.
_NEAR_LIMIT = 0.9

#: What the C library, C++, Python, Fortran and shells say when they do not get memory.
_SIGNS_OF_REFUSED_MEMORY = (
    *("cannot allocate memory", "bad_alloc", "memoryerror", "out of memory", "insufficient virtual memory"),
    *("allocation failed", "allocation error", "memory allocation"),
)

#: How much of stderr goes into the failure of a job, from its end.
_TAIL_BYTES = 3000


def read_end(run_dir: Path, end: Observation) -> Result:
    """What a job left behind that has ended; with a failure the ends of what it printed."""
    assert end.exit is not None
    result = read_result(run_dir, end.exit, end.result, end.tail)
    there = end.tail is not None
    # A pooled job has no folder.
    if result.failure is None or (not there and run_dir == Path()):
        return result
    printed = (end.output_tail, end.tail) if there else (_tail(run_dir / OUTPUT_FILE), _tail(run_dir / ERROR_FILE))
    output, error = ((text or "")[-_TAIL_BYTES:] or None for text in printed)
    return replace(result, failure=replace(result.failure, queue_out=output, queue_err=error))


def read_result(run_dir: Path, exit_record: ExitRecord, inline: bytes | None, tail: str | None = None) -> Result:
    """What the job left behind; a failure when it left nothing.

    Parameters
    ----------
    inline
        Content of the result file when it came without a file (pooled jobs, jobs on other machines).
    tail
        The end of standard error when the run folder is not on this machine.
    """
    if exit_record.reason in _ENDED_FROM_OUTSIDE or (inline is None and tail is not None):
        return Result(failure=_failure_of_process(run_dir, exit_record, tail))
    try:
        content = inline if inline is not None else (run_dir / RESULT_FILE).read_bytes()
    except FileNotFoundError:
        return Result(failure=_failure_of_process(run_dir, exit_record, None))
    except OSError as error:
        return Result(failure=Failure("output", f"the result of the job cannot be read: {error}"))
    try:
        return unpack_result(content)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return Result(failure=Failure("output", f"{run_dir / RESULT_FILE} is not a result: {error}"))


def out_of_memory_instead(failure: Failure, exit_record: ExitRecord, memory_gigabytes: object) -> Failure:
    """The failure for want of memory where a process without another explanation was at its declared limit, or says so.

    Parameters
    ----------
    memory_gigabytes
        The limit; anything but a number is none.
    """
    peak = exit_record.peak_memory_bytes
    if failure.reason not in ("signal", "exit_code") or peak is None:
        return failure
    if isinstance(memory_gigabytes, bool) or not isinstance(memory_gigabytes, int | float):
        return failure
    # Who asks for more than the limit at once never comes near it; what such programs say last is this.
    says_so = any(sign in (failure.details or "").lower() for sign in _SIGNS_OF_REFUSED_MEMORY)
    if peak < _NEAR_LIMIT * memory_gigabytes * 1024**3 and not says_so:
        return failure
    message = f"{failure.message}; it had {peak / 1024**3:.3g} of the {memory_gigabytes:g} GB that it may take"
    return replace(failure, reason="out_of_memory", message=message)


def _failure_of_process(run_dir: Path, exit_record: ExitRecord, tail: str | None) -> Failure:
    details = _tail(run_dir / ERROR_FILE) if tail is None else tail[-_TAIL_BYTES:] or None
    if exit_record.reason in _MESSAGES:
        return Failure(exit_record.reason, exit_record.message or _MESSAGES[exit_record.reason], details)
    if exit_record.reason == "timeout":
        message = exit_record.message or "the job ran into its time limit and was ended"
        return Failure("timeout", f"{message}; give it more with the resource time_limit", details)
    if exit_record.reason == "vanished":
        return Failure(
            "vanished",
            "the process of the job is gone and left neither a result nor an exit record: it was killed from outside "
            "together with what watched it, or the machine was restarted. `tow job rerun` starts it again.",
            details,
        )
    why = f": {exit_record.message}" if exit_record.message else ""
    if exit_record.signal is not None:
        name = _name(exit_record.signal)
        return Failure("signal", f"the job was ended by signal {exit_record.signal} ({name}){why}", details)
    return Failure(
        "exit_code",
        f"the process of the job ended with exit code {exit_record.exit_code} before it had a result{why}",
        details,
    )


_MESSAGES = {
    "cancelled": "the job was cancelled",
    "not_started": "the process of the job could not be started",
    "out_of_memory": "the job was killed because it took more memory than it may",
    "node_failure": "the machine that the job ran on failed",
    "preempted": "the job was ended to make room for another one",
    "interrupted": "the allocation that the job ran in ended before it did",
}


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _tail(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode(errors="replace") or None
    except OSError:
        return None
