"""From the end of a process to the exit record of its attempt."""

import contextlib
import functools
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from towline.core.records import ExitRecord, Failure
from towline.on_worker import command, launch
from towline.on_worker.attempt_files import PENDING_EXIT_FILE, has_result, host, read_exit, read_job, write_exit
from towline.on_worker.attempts import Attempt, State
from towline.on_worker.isolation import Closeable
from towline.on_worker.memory_events import KillCounter
from towline.on_worker.process_groups import end_leftovers
from towline.on_worker.timers import Timers

logger = logging.getLogger("towline.pilot")

#: From this duration on, memory and processor time are worth a second write of the exit record.
_LONG_SECONDS = 1.0

#: How often, and how many times, leftovers of a job that we ended are looked for.
_LEFTOVERS_DELAY_SECONDS = 0.02
_LEFTOVERS_LOOKS = 250


class EndedChild(NamedTuple):
    """A child that has ended, and whose process id is still its own."""

    pid: int
    exit_code: int | None
    signal: int | None
    #: Resource usage, when it was reaped already.
    usage: Any = None


def next_ended_child() -> EndedChild | None:
    """A child that has ended, if there is one; it has to be given to :func:`reap`."""
    try:
        if not hasattr(os, "waitid"):
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            return from_status(pid, status, usage) if pid else None
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if info is None:
        return None
    if info.si_code == os.CLD_EXITED:
        return EndedChild(info.si_pid, info.si_status, None)
    return EndedChild(info.si_pid, None, info.si_status)


def reap(child: EndedChild) -> Any:
    """Let the process id go; return the resource usage."""
    return os.wait4(child.pid, 0)[2] if child.usage is None else child.usage


def exit_record(attempt: Attempt, child: EndedChild) -> ExitRecord:
    """How the process of an attempt ended, without resource usage."""
    reason = attempt.stop_reason or ("exited" if child.signal is None else "signal")
    message = stop_message(attempt)
    if message is None and child.signal == signal.SIGKILL:
        message = "killed from outside; when memory is short, the system does that"
    return ExitRecord(
        exit_code=child.exit_code,
        signal=child.signal,
        reason=reason,
        started_at=attempt.started_at,
        ended_at=time.time(),
        host=host(),
        message=message,
    )


def stop_message(attempt: Attempt) -> str | None:
    """Why we ended an attempt; None when we did not."""
    if attempt.stop_message is not None:
        return attempt.stop_message
    if attempt.stop_reason == "timeout":
        return f"it was ended at its time limit of {attempt.time_limit_seconds:g} seconds"
    return None if attempt.stop_reason is None else "it was cancelled while it ran"


def with_usage(record: ExitRecord, usage: Any) -> ExitRecord:
    """The record with memory and processor time."""
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    peak_memory_bytes = usage.ru_maxrss * unit
    if record.reason == "signal" and record.signal == signal.SIGKILL and _kill_counter().took(peak_memory_bytes):
        message = f"the system ran out of memory and killed it when it had {peak_memory_bytes / 1024**3:.3g} GB"
        record = replace(record, reason="out_of_memory", message=message)
    return replace(record, peak_memory_bytes=peak_memory_bytes, cpu_seconds=round(usage.ru_utime + usage.ru_stime, 6))


@functools.cache
def _kill_counter() -> KillCounter:
    return KillCounter()


def not_started(reason: str, message: str) -> ExitRecord:
    """The record of an attempt that has no process."""
    return ExitRecord(
        exit_code=None, signal=None, reason=reason, started_at=None, ended_at=time.time(), host=host(), message=message
    )


def from_status(pid: int, status: int, usage: Any) -> EndedChild:
    """A child that was reaped with this status."""
    code = os.waitstatus_to_exitcode(status)
    return EndedChild(pid, code if code >= 0 else None, -code if code < 0 else None, usage)


class Endings:
    """Carries attempts from the end of their process to the exit record.

    Parameters
    ----------
    ended
        Called with each attempt whose exit record is in its run folder.
    closeables
        What forked children have to close.
    records_all
        Write an exit record also where the result of a short success says the same.
    """

    def __init__(
        self,
        timers: Timers,
        ended: Callable[[Attempt], None],
        closeables: Callable[[], Iterable[Closeable]],
        *,
        records_all: bool = False,
    ) -> None:
        self._records_all = records_all
        self._timers = timers
        _kill_counter()  # counts from here on
        self._ended = ended
        self._closeables = closeables
        #: Attempts whose outputs a child is collecting, by the process id of the child.
        self._collectors: dict[int, tuple[Attempt, ExitRecord]] = {}

    def process_ended(self, attempt: Attempt, child: EndedChild) -> None:
        """The process of an attempt has ended, and its group was killed. The child is reaped here.

        Evidence of the end is written before the process id is given back: whoever comes after a crash finds either
        the zombie or the file. The result of a short success is evidence enough.
        """
        interrupted = attempt.stop_reason == "interrupted" and attempt.command is None
        if interrupted and child.exit_code == 0 and has_result(attempt.run_dir):
            attempt.stop_reason = attempt.stop_message = None  # it was done before the signal came
        record = exit_record(attempt, child)
        if attempt.stop_reason is not None or (attempt.command is not None and attempt.command.has_outputs):
            self._write(attempt, record, PENDING_EXIT_FILE)
            self.finish(attempt, with_usage(record, reap(child)))
            return
        if attempt.command is not None:
            attempt.result = command.leave_result(attempt.run_dir, attempt.command, record)
        short = attempt.started_at is not None and record.ended_at - attempt.started_at < _LONG_SECONDS
        told = short and attempt.command is None and child.exit_code == 0 and has_result(attempt.run_dir)
        if not told:
            self._write(attempt, record)
        record = with_usage(record, reap(child))
        if not short or self._records_all:
            self._write(attempt, record)
        self._settle(attempt, record)

    def finish(self, attempt: Attempt, record: ExitRecord) -> None:
        """The process of an attempt is gone: end what it left running, collect its outputs, write the record."""
        attempt.state = State.ENDING
        if attempt.stop_reason is not None:
            self._end_leftovers(attempt, record, _LEFTOVERS_LOOKS)
        else:
            self._collect(attempt, record)

    def collector_ended(self, child: EndedChild) -> bool:
        """Take the end of a child that collected outputs; False when it was another child."""
        found = self._collectors.pop(child.pid, None)
        if found is None:
            return False
        reap(child)
        attempt, record = found
        if read_exit(attempt.run_dir) is None:
            message = f"the process that collected the outputs ended with {child.exit_code or child.signal}"
            logger.error("%s: %s", attempt.key, message)
            attempt.result = command.write_failure(attempt.run_dir, Failure("output", message))
            self._write(attempt, record)
        self._settle(attempt, record)
        return True

    @property
    def busy(self) -> bool:
        """Whether outputs are being collected."""
        return bool(self._collectors)

    def _end_leftovers(self, attempt: Attempt, record: ExitRecord, looks: int) -> None:
        if end_leftovers(attempt.run_dir) and looks:
            again = functools.partial(self._end_leftovers, attempt, record, looks - 1)
            self._timers.after(_LEFTOVERS_DELAY_SECONDS, again)
        else:
            self._collect(attempt, record)

    def _collect(self, attempt: Attempt, record: ExitRecord) -> None:
        try:
            found = attempt.command or (_read_command(attempt.run_dir) if attempt.is_command else None)
        except command.UnusableCommand as error:
            attempt.result = command.write_failure(attempt.run_dir, Failure("output", str(error)))
            found = None
        if found is not None and found.has_outputs:
            # Hashing large files takes long; this process has other things to do.
            task = functools.partial(_collect_here, attempt.run_dir, found, record)
            try:
                pid = launch.fork_task(task, self._closeables())
            except OSError as error:
                logger.warning("the outputs of %s are collected here: %s", attempt.key, error)
            else:
                self._collectors[pid] = (attempt, record)
                return
        if found is not None:
            attempt.result = command.leave_result(attempt.run_dir, found, record)
        self._write(attempt, record)
        self._settle(attempt, record)

    def _settle(self, attempt: Attempt, record: ExitRecord) -> None:
        if record.exit_code != 0 and record.message is None and not os.path.isdir(attempt.run_dir):  # noqa: PTH112 - text
            record = replace(record, message="its run folder was deleted while it ran, and with it what it wrote")
        if attempt.stop_reason is not None or attempt.is_command:
            with contextlib.suppress(OSError):
                Path(attempt.run_dir, PENDING_EXIT_FILE).unlink()
        attempt.exit = record
        attempt.package = attempt.command = None
        attempt.state = State.ENDED
        self._ended(attempt)

    def _write(self, attempt: Attempt, record: ExitRecord, name: str | None = None) -> None:
        try:
            if name is None:
                write_exit(attempt.run_dir, record)
            else:
                write_exit(attempt.run_dir, record, name)
        # A full disk, or a folder that the user deleted: the runner is told all the same.
        except OSError as error:
            logger.error("the exit record of %s cannot be written: %s", attempt.key, error)


def _read_command(run_dir: str) -> command.Command:
    content = read_job(run_dir)
    if content is None:
        raise command.UnusableCommand(f"the job file in {run_dir} is gone; rerun the job")
    return command.parse(content)


def _collect_here(run_dir: str, found: command.Command, record: ExitRecord) -> int:
    if command.leave_result(run_dir, found, record) is None:
        write_exit(run_dir, record)
    return 0
