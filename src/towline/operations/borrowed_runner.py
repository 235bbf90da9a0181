"""A runner for as long as somebody needs one: started by the first who does, stopped by the last."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from towline.configuration.choice import load_project
from towline.errors import RunnerAlreadyActive
from towline.operations import runners

#: In the folder of the logs. Who needs the runner holds a shared lock on the first; it has the id of a runner that was
#: started for that. Who starts or stops one holds the second: two at the same moment would take each other's runner for
#: one that hangs.
_USERS, _CHANGES = "borrowed_runner", "borrowed_runner.lock"


@contextmanager
def active_runner(project: str | None = None) -> Iterator[None]:
    """A runner for as long as the block takes; one that was active before is used, and left alone.

    Interrupted by a key, the block leaves the runner: the jobs go on.
    """
    folder = load_project(project).log_dir
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _USERS).open("a+") as users:
        with _alone(folder):
            with suppress(RunnerAlreadyActive):
                _write(users, str(runners.start(project).runner_id))
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield
        except KeyboardInterrupt:
            _write(users, "")
            raise
        except BaseException:
            _give_back(users, folder, project)
            raise
        _give_back(users, folder, project)


def _give_back(users: IO[str], folder: Path, project: str | None) -> None:
    """Stop the runner if it was started for this and nobody else needs it."""
    with _alone(folder):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Whether this lock is still held says nothing to those who hold theirs: it goes.
            fcntl.flock(users, fcntl.LOCK_UN)
            return
        users.seek(0)
        present = runners.status(project)
        if present.active and users.read() == str(present.runner_id):
            runners.stop(project)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / _CHANGES).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(users: IO[str], text: str) -> None:
    users.truncate(0)
    users.write(text)
    users.flush()
