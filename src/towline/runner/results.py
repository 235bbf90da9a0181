"""From the end of a process to the result of its job."""

import signal
from pathlib import Path

from towline.core.records import ExitRecord, Failure, Result, unpack_result
from towline.core.run_folder import ERROR_FILE, RESULT_FILE

#: How much of stderr goes into the failure of a job, from its end.
_TAIL_BYTES = 3000


def read_result(run_dir: Path, exit_record: ExitRecord, inline: bytes | None) -> Result:
    """What the job left behind; a failure when it left nothing.

    Parameters
    ----------
    inline
        Content of the result file when it came without a file (pooled jobs).
    """
    if exit_record.reason in ("timeout", "cancelled", "not_started"):
        return Result(failure=_failure_of_process(run_dir, exit_record))
    try:
        content = inline if inline is not None else (run_dir / RESULT_FILE).read_bytes()
    except FileNotFoundError:
        return Result(failure=_failure_of_process(run_dir, exit_record))
    except OSError as error:
        return Result(failure=Failure("output", f"the result of the job cannot be read: {error}"))
    try:
        return unpack_result(content)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return Result(failure=Failure("output", f"{run_dir / RESULT_FILE} is not a result: {error}"))


def _failure_of_process(run_dir: Path, exit_record: ExitRecord) -> Failure:
    details = _tail(run_dir / ERROR_FILE)
    if exit_record.reason == "timeout":
        message = exit_record.message or "the job ran into its time limit and was ended"
        return Failure("timeout", f"{message}; give it more with the resource time_limit", details)
    if exit_record.reason == "cancelled":
        return Failure("cancelled", exit_record.message or "the job was cancelled", details)
    if exit_record.reason == "not_started":
        return Failure("not_started", exit_record.message or "the process of the job could not be started", details)
    if exit_record.reason == "vanished":
        return Failure(
            "vanished",
            "the process of the job is gone and left neither a result nor an exit record: it was killed from outside "
            "together with what watched it, or the machine was restarted. `tow job rerun` starts it again.",
            details,
        )
    if exit_record.signal is not None:
        return Failure(
            "signal", f"the job was ended by signal {exit_record.signal} ({_name(exit_record.signal)})", details
        )
    return Failure(
        "exit_code",
        f"the process of the job ended with exit code {exit_record.exit_code} before it had a result",
        details,
    )


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
