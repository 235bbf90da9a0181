"""What a forked child of the pilot needs before it is a process of its own, and before it ends."""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from towline.on_worker.run_job import keep_output_in_time

#: Name of the attempt, for the job itself.
JOB_VARIABLE = "TOWLINE_JOB"

#: Its run folder; found in the environment of every process that the job starts, however it detaches itself.
RUN_DIR_VARIABLE = "TOWLINE_RUN_DIR"


_USUAL_SIGNALS = (
    (signal.SIGCHLD, signal.SIG_DFL),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
)


class Closeable(Protocol):
    """Something that holds a file descriptor of the pilot."""

    def close(self) -> None:
        """Give the descriptor back."""


def detach(closeables: Iterable[Closeable]) -> None:
    """Become a session of its own that has nothing of the pilot: no sockets, no signal handlers, no random numbers."""
    signal.set_wakeup_fd(-1)
    for number, usual in _USUAL_SIGNALS:
        # Asking writes nothing: a page that a forked process writes is one that the system has to copy.
        if signal.getsignal(number) is not usual:
            signal.signal(number, usual)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setsid()
    for closeable in closeables:
        closeable.close()
    # What was registered so far belongs to the pilot.
    atexit._clear()
    _reseed()


def enter(run_dir: str, variables: Mapping[str, str], output: str, error: str) -> None:
    """Go to the run folder, with standard output and error there and the variables of the job."""
    os.environ.update(variables)
    os.environ["PWD"] = run_dir
    redirect(output, error)
    keep_output_in_time()


def redirect(output: str, error: str) -> None:
    """Let the standard streams be the null device and two files, which are appended to."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path, mode in ((0, os.devnull, os.O_RDONLY), (1, output, flags), (2, error, flags)):
        descriptor = os.open(path, mode, 0o666)
        os.dup2(descriptor, number)
        os.close(descriptor)


def bind(processors: Sequence[int]) -> Sequence[int]:
    """Use these processors only, where the system can do that, and return those before. None of them is no change."""
    if not processors or not hasattr(os, "sched_setaffinity"):
        return ()
    before = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors)
    return before


def leave() -> None:
    """Do what the interpreter does at its end: wait for threads, call what the job registered, flush."""
    # The interpreter has no public way to end a forked child properly; multiprocessing does the same.
    if threading.active_count() > 1:
        threading._shutdown()  # type: ignore[attr-defined]
    processes = sys.modules.get("multiprocessing.util")
    if processes is not None and (processes._finalizer_registry or sys.modules["multiprocessing"].active_children()):
        processes._exit_function()
    atexit._run_exitfuncs()
    with contextlib.suppress(ValueError, OSError):
        sys.stdout.flush()
        sys.stderr.flush()


def _reseed() -> None:
    # The standard library does so by itself after a fork.
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
