"""Run one job in this process: ``python -m towline.on_worker.run_job RUN_DIR``.

The same functions run jobs in forked children of the pilot and in its pool.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

from towline.core.records import Failure, Result, pack_result, unpack_job
from towline.core.run_folder import JOB_FILE, RESULT_FILE
from towline.on_worker import prelude
from towline.on_worker.attempt_files import claim, read_job, write_whole
from towline.on_worker.payload_registry import payload_runner

#: Given when the attempt was made that of this process before it started.
CLAIMED = "--claimed"


def command_line(python: str, run_dir: str) -> list[str]:
    """The command that runs a job that was claimed for it, in a new Python."""
    # -P: a file in the run folder must not take the place of a module.
    return [python, "-P", "-m", "towline.on_worker.run_job", run_dir, CLAIMED]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job of a run folder and return the exit code for this process."""
    run_dir, *flags = sys.argv[1:] if arguments is None else arguments
    os.chdir(run_dir)
    keep_output_in_time()
    return run_claimed(run_dir) if CLAIMED in flags else run(run_dir)


def run(run_dir: str) -> int:
    """Run the job of a run folder, unless it was started before: then do nothing.

    Returns
    -------
    int
        0 when the result is a success or somebody else runs the attempt, else 1.
    """
    return run_claimed(run_dir) if claim(run_dir) else 0


def run_claimed(run_dir: str) -> int:
    """Run the job of a run folder that belongs to this process; 0 when it succeeded, else 1."""
    content = read_job(run_dir)
    if content is None:
        result = Result(failure=Failure("error", f"{run_dir}/{JOB_FILE} is not there; upload the job again"))
    else:
        result = execute(content, in_folder=True)
    packed = pack(result)
    write_whole(f"{run_dir}/{RESULT_FILE}", packed)
    with contextlib.suppress(ValueError, OSError):  # the job may have closed them, or filled the disk
        sys.stdout.flush()
        sys.stderr.flush()
    return 0 if result.failure is None else 1


def execute(content: bytes, *, in_folder: bool = False) -> Result:
    """Run the job in the content of a job file; whatever happens in it becomes a result.

    Parameters
    ----------
    in_folder
        This process, and the folder that it is in, are the job's own.
    """
    process = os.getpid()
    try:
        header, payload, references = unpack_job(content)
        if in_folder and "prelude" in header:
            prelude.prepare(header)
        result = payload_runner(header["payload_kind"])(header, payload, references)
    # Nothing that a job does may end the process without a result: not sys.exit, not Ctrl-C, not a full stack.
    except BaseException as error:
        prelude.lift_limit()
        result = Result(failure=_failure(error))
    if os.getpid() != process:
        # The job forked and its child came back here; the result is the business of the parent.
        os._exit(0)
    return result


def pack(result: Result) -> bytes:
    """Content of the result file; a result that has no JSON form becomes a failure."""
    try:
        return pack_result(result)
    except (TypeError, ValueError, RecursionError) as error:
        failure = Failure("output", f"the result cannot be written as JSON: {error}", traceback.format_exc())
        return pack_result(Result(failure=failure))


def keep_output_in_time() -> None:
    """Write standard output line by line, so that it can be followed, and survives a sudden end."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        # Forked children find it done.
        if reconfigure is not None and not (stream.line_buffering and stream.errors == "backslashreplace"):
            reconfigure(line_buffering=True, errors="backslashreplace")


def _failure(error: BaseException) -> Failure:
    if isinstance(error, SystemExit):
        message = f"the job called sys.exit({error.code!r}) before it had a result"
    else:
        message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    reason = "out_of_memory" if isinstance(error, MemoryError) else "error"
    try:
        details = traceback.format_exc()
    except (RecursionError, MemoryError):
        details = None
    return Failure(reason, message, details)


if __name__ == "__main__":
    sys.exit(main())
