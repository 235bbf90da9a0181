"""Watching a job that `tow run` submitted: its states, what it prints, its outputs."""

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from towline.core.states import FINAL, JobState
from towline.errors import TowlineError
from towline.interfaces.cli.display import plural, say, suggest
from towline.interfaces.cli.progress import BytesBar, goes_on, tell_changed
from towline.operations.command_runs import changed_files, exit_code_of
from towline.operations.job_folders import Followed, folder_of_job, printed_files
from towline.operations.job_waits import waits_for
from towline.operations.jobs import JobInfo, get_job
from towline.operations.run_history import changes_since

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

#: Exit code of a program that Ctrl-C ended.
_INTERRUPTED = 130
_NAP_SECONDS = 0.05
#: Between two looks at why a job does not start.
_PATIENCE_SECONDS = 3.0
#: States in which nothing happens before somebody does something.
_SETTLED = FINAL | {JobState.REMOTE_ERROR, JobState.PAUSED}


def follow_and_fetch(opened: "OpenProject", row: int, outputs: Sequence[str], into: Path) -> int:
    """Show what happens to a job until it has ended, bring its outputs to a folder; return the exit code."""
    try:
        job = _follow(opened, row)
        code = exit_code_of(job)
        _tell_end(job)
        if outputs and job.run_dir is not None and job.state is not JobState.REMOTE_ERROR:
            code = _fetch(opened, job, outputs, into) or code
    except KeyboardInterrupt:
        _tell_how_to_go_on(opened.db_id(row), outputs)
        return _INTERRUPTED
    return code


class _Printed:
    """What the present attempt of a job prints."""

    def __init__(self, opened: "OpenProject") -> None:
        self._opened = opened
        self._run_dir: str | None = None
        self._followed: Followed | None = None
        self._next_look = 0.0

    def show(self, job: JobInfo, *, now: bool = False) -> None:
        """Write what is new: its standard output to ours, and so with standard error."""
        if job.run_dir != self._run_dir and job.start_time is not None and job.run_dir is not None:
            self._run_dir = job.run_dir
            folder = folder_of_job(self._opened, job)
            self._followed = folder.follow(printed_files(self._opened, job), from_end=False)
        if self._followed is None or (time.monotonic() < self._next_look and not now):
            return
        for text, stream in zip(self._followed.news(), (sys.stdout, sys.stderr), strict=True):
            stream.write(text)
            stream.flush()
        self._next_look = time.monotonic() + self._followed.pause_seconds


class _Waits:
    """Why a job does not start; said when it takes a while, and again when the reason is another one."""

    def __init__(self, opened: "OpenProject") -> None:
        self._opened = opened
        self._said: tuple[str, ...] = ()
        self._next_look = time.monotonic() + _PATIENCE_SECONDS

    def show(self, job: JobInfo) -> None:
        """Say what is new about it."""
        if job.start_time is not None or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _PATIENCE_SECONDS
        waits = waits_for(self._opened, job)
        if waits and waits != self._said:
            self._said = waits
            say(f"{time.strftime('%H:%M:%S')} waits for {'; '.join(waits)}")


def _follow(opened: "OpenProject", row: int) -> JobInfo:
    printed, waits, version, seen = _Printed(opened), _Waits(opened), None, 0
    job = get_job(opened, row)
    while True:
        newest = opened.database.data_version()
        if newest != version:
            version = newest
            job = get_job(opened, row)
            for change in changes_since(opened, row, seen):
                seen = change.number
                say(f"{change.at.astimezone():%H:%M:%S} {change.text}")
        settled = job.state in _SETTLED
        waits.show(job)
        printed.show(job, now=settled)
        if settled:
            return job
        time.sleep(_NAP_SECONDS)


def _tell_end(job: JobInfo) -> None:
    if job.state is JobState.COMPLETED:
        return
    advice = {
        JobState.REMOTE_ERROR: f"to repeat what failed: tow job retry {job.db_id}",
        JobState.PAUSED: f"to let it run: tow job resume {job.db_id}",
        JobState.FAILED: f"everything about it: tow job info {job.db_id}",
    }
    if job.state in advice:
        suggest(advice[job.state])


def _fetch(opened: "OpenProject", job: JobInfo, outputs: Sequence[str], into: Path) -> int:
    """Bring the outputs, of a job that failed those that there are; 0 when all is well."""
    folder = folder_of_job(opened, job, goes_on)
    names: Sequence[str] = outputs
    if job.state is not JobState.COMPLETED:
        names = folder.present(outputs)
    try:
        with BytesBar(f"from {job.worker}") as bar:
            files = folder.fetch(names, into, bar.show, only_files=True)
    except (TowlineError, OSError) as error:
        say(f"tow: the outputs could not be brought to {into}: {error}")
        suggest(f"to go on where it stopped: tow job files get {job.db_id} --path {shlex.quote(str(into))}")
        return 1
    tell_changed(changed_files(opened, job, into, files))
    if files:
        say(f"{plural(len(files), 'file')} in {into}")
    return 0


def _tell_how_to_go_on(db_id: str, outputs: Sequence[str]) -> None:
    say(f"\nJob {db_id} goes on. To follow it: tow job queue-out {db_id} --follow; to stop it: tow job stop {db_id}")
    if outputs:
        say(f"To get its outputs when it has ended: tow job files get {db_id}")
