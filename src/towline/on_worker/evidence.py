"""What became of an attempt that this pilot did not start: judged by what is there, never by what is missing."""

import os
import time
from dataclasses import dataclass
from enum import Enum

from towline.core.records import ExitRecord
from towline.on_worker.attempt_files import (
    PENDING_EXIT_FILE,
    Started,
    host,
    read_exit,
    read_started,
    result_failed,
    result_written_at,
)
from towline.on_worker.orphans import Orphans
from towline.on_worker.process_groups import members
from towline.on_worker.process_identity import is_of_this_boot, is_running


class Finding(str, Enum):
    """How far an attempt has come."""

    NOT_STARTED = "not_started"  #: and nobody is about to start it
    RUNNING = "running"  #: its process is there
    ELSEWHERE = "elsewhere"  #: started on another machine, whose processes cannot be seen from here
    GONE = "gone"  #: its process is not there any more, and nobody told how it ended
    PENDING = "pending"  #: its process ended, its outputs were not collected to the end
    ENDED = "ended"  #: its exit record is there


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an attempt."""

    finding: Finding
    started: Started | None = None
    #: The process, when it runs.
    pid: int | None = None
    #: The exit record, when its process has ended.
    exit: ExitRecord | None = None


def look(run_dir: str, orphans: Orphans) -> Evidence:
    """What the run folder, the processes of this machine and the keeper tell of an attempt.

    Only valid when nobody can be about to start it: see the gate of the pilot.
    """
    exit_record = read_exit(run_dir)
    if exit_record is not None:
        return Evidence(Finding.ENDED, exit=exit_record)
    started = read_started(run_dir)
    if started is None:
        return Evidence(Finding.NOT_STARTED)
    pending = read_exit(run_dir, PENDING_EXIT_FILE)
    if pending is not None:
        return Evidence(Finding.PENDING, started, exit=pending)
    if started.never:
        record = _unseen(started, "cancelled", "it was cancelled before it started")
        return Evidence(Finding.PENDING, started, exit=record)
    pid = _running_process(started, run_dir)
    if pid is not None:
        return Evidence(Finding.RUNNING, started, pid=pid)
    orphan = orphans.end_of(started)
    if orphan is not None:
        return Evidence(Finding.PENDING, started, exit=orphan)
    return Evidence(Finding.ELSEWHERE if _is_elsewhere(started) else Finding.GONE, started)


def judge_gone(run_dir: str, started: Started) -> ExitRecord:
    """The exit record of a process whose end nobody saw: a result that appeared whole is evidence of completion."""
    failed = result_failed(run_dir)
    if failed is None:
        return _unseen(started, "vanished", "nobody saw the end of its process, and it left no result")
    return ExitRecord(
        exit_code=int(failed),
        signal=None,
        reason="exited",
        started_at=started.at,
        ended_at=result_written_at(run_dir),
        host=host(),
        message="nobody saw the end of its process; the result that it left tells",
    )


def _is_elsewhere(started: Started) -> bool:
    # A machine may have changed its name since; its boots tell.
    return started.host not in (None, host()) and started.pid is not None and not is_of_this_boot(started.mark)


def _running_process(started: Started, run_dir: str) -> int | None:
    if started.pid is not None:
        return started.pid if is_running(started.pid, started.mark) else None
    # The process carries the mark of its run folder, and so do all that it started; it is the oldest of the leaders.
    return min((pid for pid in members(None, run_dir) if _leads_session(pid)), default=None)


def _leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def _unseen(started: Started, reason: str, message: str) -> ExitRecord:
    return ExitRecord(
        exit_code=None,
        signal=None,
        reason=reason,
        started_at=None if started.never else started.at,
        ended_at=time.time(),
        host=host(),
        message=message,
    )
