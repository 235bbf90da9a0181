"""Metric 9: how long a command takes to answer."""

import sys

from benchmarks.engine import TOW, engine
from benchmarks.floors import command_seconds
from benchmarks.measurement import Better, Figure, Options, alternate, python_pass_milliseconds
from benchmarks.peer_run_locally import independent
from benchmarks.side import run_side

STARTS = 20


def ours(stored_jobs: int) -> dict[str, list[float]]:
    """Milliseconds of each start, alternating with ``python -c pass``, in a project with that many stored jobs."""
    with engine(started=False):
        from towline import submit_flow

        for _ in range(max(1, stored_jobs // 1000)):
            submit_flow(independent(min(1000, stored_jobs)))
        return alternate(
            STARTS,
            {
                "pass": python_pass_milliseconds,
                "help": lambda: 1000 * command_seconds([TOW, "--help"]),
                "list": lambda: 1000 * command_seconds([TOW, "job", "list", "-m", "20"]),
                "import": lambda: 1000 * command_seconds([sys.executable, "-c", "import towline"]),
            },
        ).taken


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    stored = options.stored_jobs
    taken = run_side("m09_command_line", "ours", {"stored_jobs": stored})
    lower, floor = Better.LOWER, "python -c pass"
    return [
        Figure("9", "tow --help", "ms", taken["help"], floor, taken["pass"], 12, lower),
        Figure("9", f"tow job list -m 20, {stored:,} stored", "ms", taken["list"], floor, taken["pass"], 25, lower),
        Figure("9", "import towline", "ms", taken["import"], floor, taken["pass"], 5, lower),
    ]
