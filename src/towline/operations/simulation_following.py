"""Watching a simulation: what its jobs do, and how far the solver has come."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from towline.core.states import JobState
from towline.errors import ConfigurationError, InvalidRequest, WaitTimedOut
from towline.operations.compose import open_project
from towline.operations.job_waits import waits_for
from towline.operations.jobs import JobFilter, list_jobs
from towline.operations.simulation_sweeps import SubmittedSweep
from towline.operations.simulations import Submitted, wait_for
from towline.operations.waiting import Waited
from towline.simulations.cases import read_case
from towline.simulations.moose.console import read_console
from towline.simulations.run_directory import METADATA, RECORD, find_files, read_json

#: How long to wait between two looks at the logs.
_LOOK_SECONDS = 0.5
#: How long what a run waits for is told without asking again.
_ASK_SECONDS = 2.0
_AWAITING = frozenset({JobState.READY, JobState.CHECKED_OUT, JobState.UPLOADED, JobState.SUBMITTED})
#: Of a log, so much at its end is enough to see the step.
_TAIL_BYTES = 20_000


@dataclass(frozen=True)
class Step:
    """Where the solver of one run is."""

    run: str
    number: int
    time: float
    #: Between 0 and 1; None where the end is not known.
    share: float | None


@dataclass(frozen=True)
class Watched:
    """A simulation, or a sweep, while it runs."""

    states: Mapping[JobState, int]
    #: Of the runs that are under way.
    steps: tuple[Step, ...] = field(default=())
    #: What runs wait for that could start, in sentences.
    waits: tuple[str, ...] = field(default=())


def follow(
    submitted: Submitted | SubmittedSweep, tell: Callable[[Watched], None], timeout_seconds: float | None = None
) -> Waited:
    """Wait for a simulation, and tell every now and then how far it is.

    Raises
    ------
    WaitTimedOut
        Time is up. The simulation goes on.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    folders = [submitted.folder] if isinstance(submitted, Submitted) else list(submitted.members)
    states: dict[JobState, int] = {}
    waits: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    asked = -_ASK_SECONDS

    def keep(found: Mapping[JobState, int]) -> None:
        states.clear()
        states.update(found)

    while True:
        left = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - time.monotonic())
        try:
            return wait_for(submitted, max(0.0, left), keep)
        except WaitTimedOut:
            if deadline is not None and time.monotonic() >= deadline:
                raise
        steps = [step for folder in folders if (step := step_of(folder)) is not None]
        if time.monotonic() - asked >= _ASK_SECONDS:
            # What was there two seconds before too; anything is on its way for a moment.
            before, waits, asked = waits, waits_of(folders), time.monotonic()
        tell(Watched(dict(states), tuple(steps), waits if waits == before else ()))


def waits_of(folders: Sequence[Path]) -> tuple[str, ...]:
    """What keeps the first of the runs that could start from it, in sentences; the others wait for the same.

    The turn in a queue, with the reason that its scheduler gives, or a worker that does not answer, and why. Nothing if
    the queue of the runs is not on this machine.
    """
    try:
        with open_project(read_json(folders[0] / METADATA)["project"]) as opened:
            for folder in folders:
                filter_ = JobFilter(metadata={"simulation": _newest(folder).name}, states=tuple(_AWAITING))
                for job in list_jobs(opened, filter_):
                    waits = waits_for(opened, job)
                    if waits:
                        return waits
    except ConfigurationError:
        return ()
    return ()


def _newest(folder: Path) -> Path:
    record = read_json(folder / RECORD)
    while record.get("next_attempt"):
        folder = folder.parent / record["next_attempt"]
        record = read_json(folder / RECORD)
    return folder


def step_of(folder: Path) -> Step | None:
    """Where the newest attempt of a run is; None before its first step and after its end."""
    try:
        folder = _newest(folder)
        if read_json(folder / RECORD).get("status") != "pending":
            return None
        case = read_case(read_json(folder / METADATA)["case"])
        files = find_files(folder, str(case["run_name"]))
    except InvalidRequest:
        return None
    if files.log is None or files.exit_code is not None:
        return None
    attempts = read_console(_tail(files.log)).attempts
    if not attempts:
        return None
    last = attempts[-1]
    share = None
    if "end_time" in case.values:
        share = min(1.0, last.time / case.number("end_time"))
    elif "num_steps" in case.values:
        share = min(1.0, last.number / case.number("num_steps"))
    return Step(folder.name, last.number, last.time, share)


def _tail(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - _TAIL_BYTES))
        return stream.read().decode("utf-8", "replace")
