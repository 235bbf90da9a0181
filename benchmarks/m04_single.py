"""Metric 4, the shortest chain: one job while the runner is idle, from its submission to COMPLETED."""

import statistics

from benchmarks.engine import complete, engine, warm_up
from benchmarks.measurement import Better, Figure, Options
from benchmarks.peer_run_locally import independent
from benchmarks.side import run_side


def ours_milliseconds(count: int) -> list[float]:
    """Milliseconds of each of `count` jobs, one after the other."""
    with engine():
        warm_up()
        return [1000 * complete(independent(1)) for _ in range(count)]


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    taken = [
        statistics.median(run_side("m04_single", "ours_milliseconds", {"count": 20})) for _ in range(options.repeats)
    ]
    what = "one job, runner idle: submitted to COMPLETED, p50 of 20"
    return [Figure("4", what, "ms", taken, target=40, better=Better.LOWER)]
