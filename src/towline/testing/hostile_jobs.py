"""Jobs that do what no job should, for tests of what becomes of the others."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from jobflow import job


class Unserialisable:
    """An object that neither JSON nor pickle can write."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def _fill_the_stack(depth: int = 0) -> int:
    return _fill_the_stack(depth + 1) + 1


def _overflow_the_c_stack() -> None:
    sys.setrecursionlimit(10**9)
    _through_c(0)


def _through_c(depth: int) -> int:
    # Through C at every level: each takes a part of the real stack.
    return max([depth], key=lambda _: _through_c(depth + 1))


def _contain_itself() -> dict[str, object]:
    found: dict[str, object] = {}
    found["inside"] = found
    return found


def _deadlock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _leave_threads() -> str:
    for _ in range(3):
        threading.Thread(target=time.sleep, args=(600,)).start()
    return "left"


def _leave_a_child(pid_file: str) -> str:
    child = subprocess.Popen(["sleep", "600"])
    Path(pid_file).write_text(str(child.pid))
    child.returncode = 0  # it is not waited for
    return "left"


def _leave_a_fork() -> str:
    """A copy of this process goes on behind the job's back, and comes back from it as well."""
    if os.fork() == 0:
        time.sleep(0.2)
    return "forked"


def _go_elsewhere() -> str:
    os.chdir("/")
    print("from elsewhere")
    return str(Path.cwd())


def _remove_own_folder() -> str:
    shutil.rmtree(Path.cwd())
    return "removed"


def _print_much(megabytes: int) -> int:
    line = b"x" * 1023 + b"\n"
    for _ in range(megabytes):
        os.write(1, line * 1024)
    return megabytes


def _close_everything() -> str:
    os.closerange(0, 256)
    return "closed"


ACTIONS: Mapping[str, Callable[..., object]] = {
    "return unserialisable": Unserialisable,
    "return a generator": lambda: (number for number in range(3)),
    "return itself inside": _contain_itself,
    "return much": lambda megabytes: "x" * (megabytes * 1_000_000),
    "return": lambda value: value,
    "return not a number": lambda: [float("nan"), float("inf"), -float("inf")],
    "return half a letter": lambda: "\ud800",
    "print much": _print_much,
    "print bytes": lambda: os.write(1, b"\xff\xfe\x00\x1b[2J" * 10),
    "kill": lambda number: os.kill(os.getpid(), number),
    "kill the session": lambda: os.killpg(0, signal.SIGKILL),
    "sys.exit": sys.exit,
    "os._exit": os._exit,
    "abort": os.abort,
    "segfault": lambda: ctypes.string_at(0),
    "interrupt": lambda: signal.raise_signal(signal.SIGINT),
    "recurse": _fill_the_stack,
    "overflow the C stack": _overflow_the_c_stack,
    "take all memory": lambda: bytearray(1 << 62),
    "deadlock": _deadlock,
    "leave threads": _leave_threads,
    "leave a child": _leave_a_child,
    "leave a fork": _leave_a_fork,
    "go elsewhere": _go_elsewhere,
    "remove own folder": _remove_own_folder,
    "close everything": _close_everything,
    "sleep": time.sleep,
}


@job
def do(action: str, *arguments: object) -> object:
    """Do one of :data:`ACTIONS`."""
    return ACTIONS[action](*arguments)
