"""towline in a folder of its own, with its default configuration and a runner: what our side of a figure runs on."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

TOW = str(Path(sys.executable).with_name("tow"))
#: Where homes are made, and left: ext4 without a journal searches past the inodes of files that were deleted in the
#: last minutes, so deleting the thousands of files of one repeat would slow down the next ones tenfold.
SCRATCH_VARIABLE = "TOWLINE_BENCHMARK_SCRATCH"

#: For a whole flow of a benchmark; none takes nearly as long.
DEADLINE_SECONDS = 200.0


@contextmanager
def engine(*, started: bool = True, project: str | None = None) -> Iterator[Path]:
    """A fresh ``TOWLINE_HOME`` for this process, and a runner of its project, which is gone afterwards.

    Parameters
    ----------
    project
        Content of the project file; without it, the built-in project is used.
    """
    home = Path(tempfile.mkdtemp(prefix="towline-benchmark-", dir=os.environ.get(SCRATCH_VARIABLE)))
    os.environ["TOWLINE_HOME"] = str(home)
    if project is not None:
        (home / "benchmark.yaml").write_text(f"name: benchmark\n{project}")
    try:
        if started:
            tow("runner", "start")
        yield home
    finally:
        subprocess.run([TOW, "runner", "stop", "--wait"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
        for process in processes(home):
            with contextlib.suppress(psutil.Error):
                process.kill()
                process.wait(5)
        if SCRATCH_VARIABLE not in os.environ:
            shutil.rmtree(home, ignore_errors=True)


def tow(*arguments: str) -> str:
    """Run a command of towline; what it printed."""
    done = subprocess.run([TOW, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"tow {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def runner_pid() -> int:
    """Process id of the active runner."""
    status: dict[str, Any] = json.loads(tow("runner", "status", "--json"))
    return int(status["pid"])


def processes(home: Path) -> list[psutil.Process]:
    """Every process that was started for this home: runner, supervisor, pilots, jobs; not this process."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("TOWLINE_HOME") == str(home):
                found.append(process)
    return found


def complete(flow: Any, **submission: Any) -> float:
    """Submit a flow and wait until it is COMPLETED; seconds from one to the other."""
    # towline reads its settings when it is first used, which is after engine() chose the home.
    from towline import submit_flow, wait_flow

    started = time.perf_counter()
    ids = submit_flow(flow, **submission)
    waited = wait_flow(ids, timeout_seconds=DEADLINE_SECONDS)
    seconds = time.perf_counter() - started
    if not waited:
        raise RuntimeError(f"the flow did not complete: {waited}")
    return seconds


def warm_up(**submission: Any) -> None:
    """Run one job, so that pilots and imports are there: a runner is started once, and used for a long time."""
    from benchmarks.peer_run_locally import independent

    complete(independent(1), **submission)


def until(condition: Callable[[], bool], deadline_seconds: float, what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + deadline_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {deadline_seconds:g} s")
        time.sleep(0.005)
