"""Start the process of an attempt: a fork of this one, or another program. Both claim the attempt as they begin."""

import contextlib
import errno
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from towline.core.run_folder import STARTED_FILE
from towline.errors import TowlineError
from towline.on_worker import isolation, run_job
from towline.on_worker.attempt_files import claim, started_content

#: Exit code of a forked child that found its attempt started before. A job may end with it too: the caller looks.
CLAIM_LOST = 199

#: Exit code of a forked child that could not even record what happened.
_BROKEN = 198

#: CPython ignores these; a program starts with the defaults.
_DEFAULT_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGPIPE", "SIGXFSZ", "SIGTERM", "SIGHUP", "SIGCHLD", "SIGINT")
    if hasattr(signal, name)
)


class AlreadyStarted(TowlineError):
    """Somebody else runs the attempt."""


class CannotStart(TowlineError):
    """The program of the attempt could not be started; repeating it gives the same."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the process of an attempt begins."""

    run_dir: str
    #: Variables of the job, on top of the environment of the pilot.
    variables: Mapping[str, str]
    #: Files for standard output and standard error, relative to the run folder.
    output: str
    error: str
    #: Processors that it is bound to; empty for all.
    processors: Sequence[int] = ()


def fork(
    surroundings: Callable[[], Surroundings], closeables: Iterable[isolation.Closeable], gate: isolation.Closeable
) -> int:
    """Run the job of a run folder in a fork of this process; return the process id.

    Parameters
    ----------
    surroundings
        Called by the child, which may wait in it until it has a job; SystemExit ends the child without one.
    closeables
        What the child has to close before it begins.
    gate
        Closed as soon as the child has made the attempt its own, or left it to another one.

    Raises
    ------
    OSError
        The system has no room for another process.
    """
    pid = os.fork()
    if pid:
        return pid
    code = _BROKEN
    try:
        isolation.detach(closeables)
        code = run_job_here(surroundings(), gate)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def run_job_here(surroundings: Surroundings, gate: isolation.Closeable) -> int:
    """Run the job of a run folder in this process; return the exit code for it. `gate` as in :func:`fork`."""
    os.chdir(surroundings.run_dir)
    mine = claim(surroundings.run_dir)
    gate.close()
    if not mine:
        return CLAIM_LOST
    isolation.bind(surroundings.processors)
    isolation.enter(surroundings.run_dir, surroundings.variables, surroundings.output, surroundings.error)
    code = run_job.run_claimed(surroundings.run_dir)
    isolation.leave()
    return code


def fork_task(task: Callable[[], int], closeables: Iterable[isolation.Closeable]) -> int:
    """Run `task` in a fork of this process, in a session of its own; return the process id."""
    pid = os.fork()
    if pid:
        return pid
    code = _BROKEN
    try:
        isolation.detach(closeables)
        code = task()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def spawn(argv: Sequence[str], surroundings: Surroundings) -> int:
    """Start a program in a run folder, in a session of its own; return the process id.

    The file that claims the attempt is created by the new process, before it becomes the program: it exists exactly
    when the program was started. Neither a thread nor a copy of this process is needed for that.

    Raises
    ------
    AlreadyStarted
        Somebody else runs the attempt.
    CannotStart
        There is no such program, or it is none.
    OSError
        The run folder is not there, or the system has no room for another process.
    """
    run_dir = surroundings.run_dir
    environment = {**os.environ, **surroundings.variables, "PWD": run_dir}
    # posix_spawn has no working directory; this process has one thread and no use for its own.
    os.chdir(run_dir)
    before: Sequence[int] = ()
    try:
        program = _program(argv[0], environment.get("PATH", os.defpath))
        # posix_spawn cannot bind either; the new process has what this one has.
        before = isolation.bind(surroundings.processors)
        pid = os.posix_spawn(
            program,
            list(argv),
            environment,
            file_actions=_file_actions(surroundings),
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULT_SIGNALS,
        )
        _complete_claim(pid)
    except FileExistsError as error:
        raise AlreadyStarted(f"{run_dir} was started before") from error
    except ValueError as error:
        raise CannotStart(f"{argv[0]!r} cannot be started: {error}") from error
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
            raise
        raise CannotStart(f"{argv[0]!r} cannot be started: {error.strerror}") from error
    finally:
        isolation.bind(before)
        os.chdir("/")
    return pid


def _file_actions(surroundings: Surroundings) -> list[tuple[object, ...]]:
    write = os.O_WRONLY | os.O_CREAT
    return [
        # First, because a process that has lost the claim must not touch anything. Replaced by the next one.
        (os.POSIX_SPAWN_OPEN, 0, STARTED_FILE, write | os.O_EXCL, 0o666),
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, surroundings.output, write | os.O_APPEND, 0o666),
        (os.POSIX_SPAWN_OPEN, 2, surroundings.error, write | os.O_APPEND, 0o666),
    ]


def _complete_claim(pid: int) -> None:
    # The job runs whether or not this succeeds; an empty file is understood too.
    with contextlib.suppress(OSError):
        descriptor = os.open(STARTED_FILE, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, started_content(pid))
        finally:
            os.close(descriptor)


def _program(name: str, path: str) -> str:
    if "/" in name:
        return name
    for folder in path.split(os.pathsep):
        candidate = f"{folder or '.'}/{name}"
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):  # noqa: PTH112 - called for every job
            return candidate
    raise CannotStart(f"the program {name!r} is in no folder of PATH ({path})")
