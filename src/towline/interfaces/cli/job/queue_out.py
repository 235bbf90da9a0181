"""`tow job queue-out`."""

import time
from collections.abc import Callable
from typing import Annotated

import click

from towline.core.states import FINAL, JobState
from towline.interfaces.cli.display import print_json, say, write_out
from towline.interfaces.cli.options import Json, OneJob
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.selection import one_job
from towline.interfaces.cli.session import open_session
from towline.operations.job_folders import Followed, folder_of_job, printed_files
from towline.operations.jobs import JobInfo, get_job

_LAST_BYTES = 64 * 1024


def command(
    context: click.Context,
    chosen: OneJob,
    full: Annotated[bool, Option("--full", help="The whole files, not only the ends of long ones.")] = False,
    follow: Annotated[bool, Option("--follow", help="Go on until the job has ended, or Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """What a job printed: queue.out and queue.err in its run folder, or the files that its resources name."""
    with open_session(context) as opened:
        row = one_job(opened, chosen)
        job = get_job(opened, row)
        folder, names = folder_of_job(opened, job), printed_files(opened, job)
        # Looked at before they are read, so that nothing is missed between the two.
        followed = folder.follow(names, from_end=True) if follow else None
        printed = folder.read(names, None if full else _LAST_BYTES)
        if as_json:
            print_json({path: {"text": text, "skipped_bytes": skipped} for path, (text, skipped) in printed.items()})
            return
        for path, (text, skipped) in printed.items():
            note = f" (the last {_LAST_BYTES // 1024} KiB; --full shows all)" if skipped else ""
            say(f"== {path}{note}{'' if text else ' is empty'}")
            write_out(text if text.endswith("\n") or not text else f"{text}\n")
        if followed is not None:
            _follow(followed, lambda: get_job(opened, row))


def _follow(followed: Followed, look: Callable[[], JobInfo]) -> None:
    """Print what is new until the job has ended; what is new after its end too."""
    try:
        while True:
            ended = look().state in FINAL | {JobState.REMOTE_ERROR}
            for text in followed.news():
                write_out(text)
            if ended:
                return
            time.sleep(followed.pause_seconds)
    except KeyboardInterrupt:
        return
