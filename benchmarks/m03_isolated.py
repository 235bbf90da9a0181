"""Metric 3: trivial jobflow jobs, each with a process and a directory of its own."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.engine import complete, engine, warm_up
from benchmarks.floors import SLOTS, command_seconds
from benchmarks.measurement import Better, Figure, Options, alternate
from benchmarks.peer_run_locally import independent
from benchmarks.side import run_side

#: Measured with this configuration and recorded in the reference of 21 November, when no --peer-python is given.
RECORDED_PEER_JOBS_PER_SECOND = 1.16


def ours_per_second(count: int) -> float:
    """Jobs per second in the default configuration."""
    flow = independent(count)
    with engine():
        warm_up()
        return count / complete(flow)


def cold_seconds(count: int) -> float:
    """Seconds that one job takes that gets a new Python, with as many at a time as there are processors."""
    with engine(project="workers: {local: {type: local, execution: cold}}\n"):
        warm_up()
        return complete(independent(count)) * SLOTS / count


def python_seconds(count: int) -> float:
    """The same for ``python -c 'import jobflow'``: what a job cannot do without."""
    started = time.perf_counter()
    with ThreadPoolExecutor(SLOTS) as pool:
        list(pool.map(lambda _: command_seconds([sys.executable, "-c", "import jobflow"]), range(count)))
    return (time.perf_counter() - started) * SLOTS / count


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    takes = {
        "ours": lambda: run_side("m03_isolated", "ours_per_second", {"count": 200}),
        "floor": lambda: run_side("floors", "forked_per_second"),
    }
    peer = options.peer_python
    if peer is not None:
        takes["peer"] = lambda: run_side("peer_jobflow_remote", "independent_per_second", {"count": 10}, python=peer)
    sides = alternate(options.repeats, takes)
    cold = alternate(
        max(1, options.repeats // 2),
        {
            "ours": lambda: run_side("m03_isolated", "cold_seconds", {"count": 20}),
            "floor": lambda: run_side("m03_isolated", "python_seconds", {"count": 20}),
        },
    )
    what = "200 isolated jobflow jobs"
    name = "jobflow-remote, tuned" if peer is not None else "jobflow-remote, tuned (recorded, not measured here)"
    theirs = [RECORDED_PEER_JOBS_PER_SECOND] if peer is None else sides["peer"]
    return [
        Figure("3", what, "jobs/s", sides["ours"], "minimal runner, fork", sides["floor"], 0.3),
        Figure("3", what, "jobs/s", sides["ours"], name, theirs, 150),
        Figure(
            "3",
            "one job in a new Python each (execution: cold)",
            "s",
            cold["ours"],
            "python -c 'import jobflow'",
            cold["floor"],
            3,
            Better.LOWER,
        ),
    ]
