"""A payload for tests: a job that does what it is told, without jobflow.

Its kind is "test"; workers find it by :data:`EXTRA_PAYLOADS` in the environment. The payload is ``{"do": [[action,
argument...], ...]}``; the output document is ``{"output": value}`` with the value of the last action.
"""

import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from towline.core.records import Failure, Result, pack_job

#: Value of TOWLINE_EXTRA_PAYLOADS with which workers know the kind "test".
EXTRA_PAYLOADS = "test=towline.testing.payloads:run_payload"


def package(*actions: list[Any], key: str = "1.1", kind: str = "test", **header: Any) -> bytes:
    """Content of a job file that does `actions` one after another."""
    job_id, _, attempt = key.partition(".")
    facts = {"db_id": job_id, "attempt": int(attempt), "uuid": f"uuid-{key}", "index": 1, "name": f"job {key}"}
    return pack_job({**facts, "payload_kind": kind, **header}, orjson.dumps({"do": actions}), [])


def run_payload(header: Mapping[str, Any], payload: bytes, references: Mapping[str, tuple[int, bytes]]) -> Result:
    """Do what the payload says."""
    value: Any = None
    try:
        for action, *arguments in orjson.loads(payload)["do"]:
            value = _ACTIONS[action](*arguments)
    except Exception as error:
        return Result(failure=Failure("error", f"{type(error).__name__}: {error}", traceback.format_exc()))
    return Result(output=orjson.dumps({"uuid": header["uuid"], "index": header["index"], "output": value}))


def _append(path: str, text: str) -> None:
    """Leave a line in a file, as evidence that the job really ran."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, f"{text}\n".encode())
    finally:
        os.close(descriptor)


def _wait_for(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.002)


def _raise(text: str) -> None:
    raise ValueError(text)


def _recurse() -> None:
    _recurse()


def _kill(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def _background(pid_file: str, detach: str) -> None:
    """Leave a process behind: in the group of the job, or in a session of its own."""
    process = subprocess.Popen(["sleep", "300"], start_new_session=detach == "detached")
    Path(pid_file).write_text(str(process.pid))
    process.returncode = 0  # it is not waited for


def _ignore_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _close_output() -> None:
    sys.stdout.close()
    os.close(2)


def _fork_and_return() -> None:
    """Let a child come back from the job as well."""
    os.fork()


def _facts() -> dict[str, Any]:
    return {
        "cwd": str(Path.cwd()),
        "pid": os.getpid(),
        "group": os.getpgid(0),
        "environment": dict(os.environ),
        "random": random.random(),
        "signals": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        "descriptors": _descriptors(),
        "program": Path(sys.argv[0]).stem,
        "stdin": os.read(0, 1).decode(),
    }


def _descriptors() -> list[str]:
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    return sorted(name for name in os.listdir(folder))  # noqa: PTH208 - as text


_ACTIONS: Mapping[str, Callable[..., Any]] = {
    "append": _append,
    "background": _background,
    "close_output": _close_output,
    "exit": os._exit,
    "facts": _facts,
    "fork_and_return": _fork_and_return,
    "ignore_signals": _ignore_signals,
    "kill": _kill,
    "print": lambda text, times=1: print(text * times),
    "raise": _raise,
    "recurse": _recurse,
    "return": lambda value: value,
    "sleep": time.sleep,
    "system_exit": sys.exit,
    "wait_for": _wait_for,
    "write": lambda path, text: Path(path).write_text(text),
}
