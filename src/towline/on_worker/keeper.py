"""The keeper: a small process that starts the pilot again when it died, and takes note of the ends of its jobs.

On Linux the orphans of a dead pilot become children of the keeper, so that their exit codes are not lost. On macOS
nobody can do that; there a job whose pilot was killed is judged by the result it left.

Only the standard library is used, and the interpreter is started without site packages: the keeper is there all the
time and should cost nothing.
"""

import ctypes
import fcntl
import json
import os
import signal
import sys
import time
from typing import Any, NamedTuple

from towline.on_worker.process_identity import start_mark, stat_fields

#: Files in the state folder of a worker.
LOCK_FILE = "keeper.lock"
LOG_FILE = "pilot.log"
ORPHANS_FILE = "orphans.jsonl"
OLD_ORPHANS_FILE = "orphans.old.jsonl"

#: Exit code of a pilot that makes room for one with another configuration: its keeper goes too.
REPLACED = 3

_LARGEST_ORPHANS_BYTES = 4_000_000

#: A pilot that failed after less than this is started again with a growing delay.
_SETTLED_SECONDS = 10.0
_DELAYS_SECONDS = (0.0, 0.2, 1.0, 5.0)

_PR_SET_CHILD_SUBREAPER = 36


class _Ended(NamedTuple):
    pid: int
    code: int
    usage: Any


def main(arguments: str) -> None:
    """Become the keeper of a state folder, unless it has one.

    Parameters
    ----------
    arguments
        JSON: ``state_dir``, and ``pilot``, the command line of the pilot.
    """
    settings = json.loads(arguments)
    os.chdir("/")
    os.umask(0o022)
    lock = _lock(settings["state_dir"])
    if lock is None or os.fork():
        return
    os.setsid()
    _redirect(f"{settings['state_dir']}/{LOG_FILE}")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    _Keeper(settings["state_dir"], settings["pilot"]).run()


def keep_here(state_dir: str, command: list[str], *, most_quick_ends: int) -> int:
    """Be the keeper of a state folder in this process, as part of a batch allocation.

    SIGTERM is passed on to the pilot, which then ends.

    Parameters
    ----------
    most_quick_ends
        Give up when the pilot failed so often soon after its start.

    Returns
    -------
    0 when the pilot ended on purpose, else 1.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    descriptor = os.open(f"{state_dir}/{LOG_FILE}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    kept = _Keeper(state_dir, command, most_quick_ends)
    signal.signal(signal.SIGTERM, lambda *_: kept.end_pilot())
    return kept.run()


class _Keeper:
    def __init__(self, state_dir: str, command: list[str], most_quick_ends: int | None = None) -> None:
        self._state_dir = state_dir
        self._command = command
        self._most_quick_ends = most_quick_ends
        self._ending = False
        self._pilot: int | None = None
        self._started = 0.0
        self._quick_ends = 0
        #: The pilot sees the end of this pipe when the keeper is gone.
        self._read_end, self._write_end = os.pipe()

    def run(self) -> int:
        """Keep a pilot alive until it ends on purpose and has left nothing running: 0. Else 1."""
        due = 0.0
        while True:
            if self._pilot is None and self._ending:
                return 0
            if self._pilot is None and time.monotonic() >= due:
                self._start()
            ended = self._next_end(block=self._pilot is not None)
            if ended is None:
                time.sleep(0.02)
            elif ended.pid == self._pilot:
                self._pilot = None
                if ended.code == REPLACED or (ended.code == 0 and not _has_children()):
                    return 0
                due = time.monotonic() + self._delay_seconds(ended)
                if self._most_quick_ends is not None and self._quick_ends >= self._most_quick_ends:
                    return 1

    def end_pilot(self) -> None:
        """Tell the pilot to end, and start no other one."""
        self._ending = True
        if self._pilot is not None:
            os.kill(self._pilot, signal.SIGTERM)

    def _start(self) -> None:
        os.set_inheritable(self._read_end, True)
        command = [*self._command, "--keeper", str(self._read_end)]
        self._started = time.monotonic()
        self._pilot = os.posix_spawn(
            command[0], command, os.environ, setsigmask=(), setsigdef=(signal.SIGPIPE, signal.SIGXFSZ)
        )
        os.set_inheritable(self._read_end, False)

    def _delay_seconds(self, ended: _Ended) -> float:
        # Who was killed did nothing wrong, and its runner is waiting.
        blameless = ended.code in (0, -signal.SIGKILL) or time.monotonic() - self._started >= _SETTLED_SECONDS
        self._quick_ends = 0 if blameless else self._quick_ends + 1
        delay = _DELAYS_SECONDS[min(self._quick_ends, len(_DELAYS_SECONDS) - 1)]
        _log(f"the pilot {ended.pid} ended with {ended.code}; the next one starts in {delay} s")
        return delay

    def _next_end(self, block: bool) -> _Ended | None:
        """Take note of one child that has ended; None when there is none."""
        try:
            if not hasattr(os, "waitid"):
                pid, status, usage = os.wait4(-1, 0 if block else os.WNOHANG)
                return _Ended(pid, os.waitstatus_to_exitcode(status), usage) if pid else None
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | (0 if block else os.WNOHANG))
        except ChildProcessError:
            return None
        if info is None:
            return None
        pid = info.si_pid
        # While it is a zombie its process id, its group and its name are still there.
        facts = None if pid == self._pilot else process_facts(pid)
        if facts is not None and facts["group"] == pid:
            _end_group(pid)
        _, status, usage = os.wait4(pid, 0)
        ended = _Ended(pid, os.waitstatus_to_exitcode(status), usage)
        if facts is not None:
            write_down(self._state_dir, [facts | outcome(ended.code, ended.usage, time.time())])
        return ended


def write_down(state_dir: str, ends: list[dict[str, Any]]) -> None:
    """Keep the ends of processes for the next pilot; each is :func:`process_facts` with :func:`outcome`."""
    path = f"{state_dir}/{ORPHANS_FILE}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, b"".join(json.dumps(end).encode() + b"\n" for end in ends))
        full = os.fstat(descriptor).st_size > _LARGEST_ORPHANS_BYTES
    finally:
        os.close(descriptor)
    if full:
        os.replace(path, f"{state_dir}/{OLD_ORPHANS_FILE}")  # noqa: PTH105 - pathlib is not loaded here


def process_facts(pid: int) -> dict[str, Any]:
    """What tells a process from others; of one that has ended, while nobody has reaped it."""
    fields = stat_fields(pid) or []
    if len(fields) < 20:
        return {"pid": pid, "mark": None, "group": None, "began_at": None}
    ticks = os.sysconf("SC_CLK_TCK")
    age_seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / ticks
    return {"pid": pid, "mark": start_mark(pid), "group": int(fields[2]), "began_at": time.time() - age_seconds}


def outcome(code: int, usage: Any, ended_at: float) -> dict[str, Any]:
    """How a process ended: exit code, or the number of the signal below zero, what it used, and when (epoch, s)."""
    return {
        "code": code,
        "at": ended_at,
        "peak_memory_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        return


def _has_children() -> bool:
    if not hasattr(os, "waitid"):
        return False  # macOS: orphans are not given to us
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _lock(state_dir: str) -> int | None:
    descriptor = os.open(f"{state_dir}/{LOCK_FILE}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return descriptor


def _redirect(log: str) -> None:
    for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY), (2, log, os.O_WRONLY)):
        descriptor = os.open(path, flags | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)


def _log(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} keeper {os.getpid()}: {text}\n")
    sys.stderr.flush()
