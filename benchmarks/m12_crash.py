"""Metric 12: the runner killed with SIGKILL at random moments while a flow runs."""

import os
import random
import signal
import statistics
import time
from collections import Counter
from pathlib import Path

import psutil

from benchmarks.engine import DEADLINE_SECONDS, engine, runner_pid, tow, until, warm_up
from benchmarks.measurement import Better, Figure, Options
from benchmarks.side import run_side

JOBS = 1000
KILLS = 20


def leave_a_line(path: str, number: int) -> int:
    """The job: one line in a file, in one write, each time it really runs."""
    with Path(path).open("a") as lines:
        lines.write(f"{number}\n")
    return number


def ours(jobs: int, kills: int, seed: int) -> dict[str, float]:
    """What `kills` kills did to a flow of `jobs` jobs."""
    from jobflow import Flow, Job

    from towline import JobController, submit_flow, wait_flow

    moments = random.Random(seed)
    recovery_seconds: list[float] = []
    with engine() as home:
        warm_up()
        witness = home / "witness"
        flow = Flow([Job(leave_a_line, function_args=(str(witness), number)) for number in range(jobs)])
        ids = submit_flow(flow)
        controller = JobController.from_project_name(None)

        def completed() -> int:
            return int(controller.count_jobs(flow_ids=[flow.uuid], states=["COMPLETED"]))

        for _ in range(kills):
            time.sleep(moments.uniform(0.0, 0.25))
            _kill_runner()
            if completed() >= jobs:
                break
            killed_at, before = time.perf_counter(), completed()
            _start_if_none()
            until(lambda present=before: completed() > present, DEADLINE_SECONDS, "a completion after a kill")
            recovery_seconds.append(time.perf_counter() - killed_at)
        _start_if_none()
        waited = wait_flow(ids, timeout_seconds=DEADLINE_SECONDS)
        controller.close()
        ran = Counter(witness.read_text().split())
    return {
        "kills": len(recovery_seconds),
        "not_completed": 0 if waited else jobs,
        "lost": sum(str(number) not in ran for number in range(jobs)),
        "run_twice": sum(times > 1 for times in ran.values()),
        "recovery_median": statistics.median(recovery_seconds),
        "recovery_worst": max(recovery_seconds),
    }


def _kill_runner() -> None:
    """SIGKILL to the runner, and wait until it is gone."""
    runner = psutil.Process(runner_pid())
    os.kill(runner.pid, signal.SIGKILL)
    until(lambda: not runner.is_running() or runner.status() == psutil.STATUS_ZOMBIE, 10, "the end of the runner")


def _start_if_none() -> None:
    """Start the runner at once, unless its supervisor was faster: that one waits longer after each crash in a row."""
    try:
        tow("runner", "start")
    except RuntimeError as error:
        if "already" not in str(error):
            raise


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    taken = run_side("m12_crash", "ours", {"jobs": JOBS, "kills": KILLS, "seed": 1})
    what = f"{JOBS:,} jobs, runner killed {taken['kills']:.0f} times"
    lower = Better.LOWER
    return [
        Figure("12", f"{what}: not COMPLETED", "jobs", [taken["not_completed"]], target=0, better=lower),
        Figure("12", f"{what}: never ran", "jobs", [taken["lost"]], target=0, better=lower),
        Figure("12", f"{what}: ran more than once", "jobs", [taken["run_twice"]], target=0, better=lower),
        Figure("12", "kill to next completion, median", "s", [taken["recovery_median"]], target=1.0, better=lower),
        Figure("12", "kill to next completion, worst", "s", [taken["recovery_worst"]]),
    ]
