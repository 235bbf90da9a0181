"""Metric 7: what users and the runner ask of the queue, with 10,000 and with a million jobs in it.

The two queues are asked in turn, each question 40 times and about other jobs each time. A question counts as slow when
its 95th percentile is above the limit, and as growing when its median with a million jobs is more than half as much
again as with 10,000; differences below 0.3 ms are not told from the noise of a shared machine.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Mapping

from benchmarks.engine import SCRATCH_VARIABLE
from benchmarks.full_queue import filled
from benchmarks.measurement import Better, Figure, Options
from benchmarks.side import run_side

SMALL = 10_000
LARGE = 1_000_000
LIMITS_MILLISECONDS: Mapping[str, float] = {"sqlite": 2.0, "postgresql": 5.0}
_TIMES = 40
#: A question that takes long is not asked so often.
_SECONDS_EACH = 2.0
_NOISE_MILLISECONDS = 0.3

#: ``{question: {"small" or "large": [median, 95th percentile]}}``, in milliseconds.
Taken = dict[str, dict[str, list[float]]]


def ours(small: str, large: str) -> Taken:
    """Ask two queues every question."""
    os.environ["TOWLINE_HOME"] = tempfile.mkdtemp(prefix="towline-benchmark-", dir=os.environ.get(SCRATCH_VARIABLE))
    from benchmarks.queries import ASKED, DONE, Asked

    queues = {"small": Asked(small), "large": Asked(large)}
    taken: Taken = {}
    for name, prepare in {**ASKED, **DONE}.items():
        times: dict[str, list[float]] = {size: [] for size in queues}
        began = time.perf_counter()
        for number in range(_TIMES + 2):
            for size, queue in queues.items():
                ask = prepare(queue)
                started = time.perf_counter()
                ask()
                # The first ones compile the statement.
                if number > 1:
                    times[size].append(1000 * (time.perf_counter() - started))
            if number > 4 and time.perf_counter() - began > _SECONDS_EACH:
                break
        taken[name] = {size: [statistics.median(found), _percentile(found)] for size, found in times.items()}
    return taken


def _percentile(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    figures = []
    for kind, limit in LIMITS_MILLISECONDS.items():
        places = {"small": filled(kind, SMALL), "large": filled(kind, options.large_queue)}
        passes: list[Taken] = [run_side("m07_queries", "ours", places) for _ in range(max(1, options.repeats // 2))]
        for name in passes[0]:
            figures += _figures(kind, name, limit, [taken[name] for taken in passes])
    return figures


def _figures(kind: str, name: str, limit: float, taken: list[dict[str, list[float]]]) -> list[Figure]:
    small, large = ([found[size][0] for found in taken] for size in ("small", "large"))
    grown = statistics.median(large) - statistics.median(small)
    growth = max(1.5, 1 + _NOISE_MILLISECONDS / statistics.median(small)) if grown < _NOISE_MILLISECONDS else 1.5
    lower = Better.LOWER
    slowest = [found["large"][1] for found in taken]
    return [
        Figure("7", f"{kind}, {name}: median", "ms", large, f"{SMALL:,} jobs", small, growth, lower),
        Figure("7", f"{kind}, {name}: p95", "ms", slowest, target=limit, better=lower),
    ]
