"""Drive a worker in tests as the runner does: hand over attempts, wait for what it tells, acknowledge."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from towline.core.ports import Step, Worker
from towline.core.records import Assignment, Observation, Result, ShellSetup, unpack_result
from towline.core.run_folder import RESULT_FILE, run_folder
from towline.on_worker.keeper import LOCK_FILE
from towline.on_worker.pilot_files import ADDRESS_FILE
from towline.testing.payloads import package

#: How long a test waits for anything.
PATIENCE_SECONDS = 30.0


def assignment(
    work_dir: Path,
    job_id: int,
    *actions: list[Any],
    attempt: int = 1,
    content: bytes | None = None,
    kind: str = "test",
    folder: str | None = None,
    priority: int = 0,
    resources: dict[str, Any] | None = None,
    shell: ShellSetup | None = None,
    again: bool = False,
) -> Assignment:
    """One attempt of a job that does `actions`, see :mod:`towline.testing.payloads`.

    Parameters
    ----------
    content
        The whole job file, in place of `actions`.
    folder
        Name of the run folder, in place of the usual one.
    """
    uuid = f"{job_id:08x}-0000-4000-8000-000000000000"
    return Assignment(
        job_id=job_id,
        uuid=uuid,
        index=1,
        attempt=attempt,
        name=f"job {job_id}",
        payload_kind=kind,
        package=package(*actions, key=f"{job_id}.{attempt}") if content is None else content,
        run_dir=str(work_dir / (folder or run_folder(uuid, 1, attempt))),
        priority=priority,
        resources=resources or {},
        shell=shell,
        again=again,
    )


@dataclass
class WorkerDriver:
    """A worker, and everything that it told so far."""

    worker: Worker
    told: list[Observation] = field(default_factory=list)

    def hand_over(self, *assignments: Assignment) -> None:
        """Upload and submit."""
        self.worker.advance(Step.UPLOAD, assignments)
        self.worker.advance(Step.SUBMIT, assignments)

    def cancel(self, *assignments: Assignment) -> None:
        """End attempts."""
        self.worker.advance(Step.CANCEL, assignments)

    def look(self, longest_seconds: float = 0.1) -> Sequence[Observation]:
        """Wait for something to be told, for a short time."""
        seconds = self.worker.next_look_seconds()
        timeout = longest_seconds if seconds is None else min(seconds, longest_seconds)
        select.select(self.worker.file_descriptors(), [], [], timeout)
        news = self.worker.observe()
        self.told.extend(news)
        return news

    def wait(self, condition: Callable[[], object], what: str = "it") -> None:
        """Look until `condition` holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            self.look()
            if time.monotonic() > deadline:
                told = [(observation.key, observation.event) for observation in self.told[-20:]]
                raise AssertionError(f"{what} did not happen; {self.worker.status()}; told last: {told}")

    def events(self, key: str) -> list[str]:
        """What was told about an attempt."""
        return [observation.event for observation in self.told if observation.key == key]

    def find(self, key: str, event: str) -> Observation | None:
        """The newest observation of that kind."""
        found = [observation for observation in self.told if observation.key == key and observation.event == event]
        return found[-1] if found else None

    def wait_for(self, key: str, event: str) -> Observation:
        """The observation, when it has come."""
        self.wait(lambda: self.find(key, event), f"{event} of {key}")
        observation = self.find(key, event)
        assert observation is not None
        return observation

    def run(self, *assignments: Assignment) -> list[Observation]:
        """Hand over, wait for all ends, acknowledge."""
        self.hand_over(*assignments)
        ends = [self.wait_for(item.key, "ended") for item in assignments]
        self.worker.acknowledge([item.key for item in assignments])
        return ends


def result_of(item: Assignment, end: Observation) -> Result:
    """What an attempt left behind."""
    return unpack_result(end.result if end.result is not None else Path(item.run_dir, RESULT_FILE).read_bytes())


def output_of(item: Assignment, end: Observation) -> Any:
    """The output of an attempt that succeeded."""
    result = result_of(item, end)
    assert result.failure is None, result.failure
    assert result.output is not None
    return orjson.loads(result.output)["output"]


def lines_of(path: Path) -> list[str]:
    """Lines of a file that need not be there."""
    return path.read_text().splitlines() if path.exists() else []


def process_ids(state_dir: Path) -> dict[str, int]:
    """Process ids of the keeper and the pilot of a state folder, as far as they are known."""
    found = {}
    with contextlib.suppress(OSError, ValueError):
        found["keeper"] = int((state_dir / LOCK_FILE).read_text())
    with contextlib.suppress(OSError, ValueError):
        found["pilot"] = orjson.loads((state_dir / ADDRESS_FILE).read_bytes())["pid"]
    return found


def end_pilots(folder: Path) -> None:
    """Kill every keeper and pilot whose state folder is inside `folder`."""
    for lock in sorted(folder.rglob(LOCK_FILE)):
        # The keeper first: it would start another pilot.
        for name, pid in sorted(process_ids(lock.parent).items()):
            if _is_ours(pid, lock.parent):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                _wait_until_gone(pid, name)


def is_alive(pid: int) -> bool:
    """Whether a process is there and runs."""
    # Only tests need psutil here.
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_ours(pid: int, state_dir: Path) -> bool:
    """Whether the process id still belongs to what wrote it down."""
    import psutil  # see is_alive

    try:
        return str(state_dir) in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def _wait_until_gone(pid: int, name: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise AssertionError(f"the {name} {pid} does not end")
        time.sleep(0.005)
