"""Metric 10: what an idle runner costs."""

import sys
import time
from pathlib import Path

import psutil

from benchmarks.engine import complete, engine, processes, runner_pid, warm_up
from benchmarks.full_queue import CLAIMED_WORKER, filled
from benchmarks.measurement import Better, Figure, Options
from benchmarks.peer_run_locally import independent
from benchmarks.side import run_side

SECONDS = 60
MEGABYTE = 1024 * 1024


def ours(seconds: float) -> dict[str, float]:
    """Share of a core and memory of the runner alone, and of everything that runs for it."""
    with engine() as home:
        # What runs after some work, not what has only just started.
        warm_up()
        complete(independent(100))
        return _idle(home, seconds)


def with_full_queue(where: str, seconds: float) -> dict[str, float]:
    """The same in a project with a full queue and three workers, one of which has jobs waiting and takes none."""
    project = (
        f"queue: {{store: {{url: '{where}'}}}}\n"
        "workers:\n  first: {type: local}\n  second: {type: local}\n"
        f"  {CLAIMED_WORKER}: {{type: local, max_jobs: 0}}\n"
    )
    with engine(project=project) as home:
        warm_up(worker="first")
        warm_up(worker="second")
        return _idle(home, seconds)


def _idle(home: Path, seconds: float) -> dict[str, float]:
    runner = psutil.Process(runner_pid())
    everything = processes(home)
    before = [_processor_seconds(process) for process in (runner, *everything)]
    time.sleep(seconds)
    used = [_processor_seconds(process) - start for process, start in zip((runner, *everything), before, strict=True)]
    return {
        "runner_percent": 100 * used[0] / seconds,
        "all_percent": 100 * sum(used[1:]) / seconds,
        "runner_megabytes": _megabytes(runner),
        "all_megabytes": sum(_megabytes(process) for process in everything),
        "processes": len(everything),
    }


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _megabytes(process: psutil.Process) -> float:
    """Memory of a process, shared parts divided by who shares them; resident memory where the system cannot tell."""
    if sys.platform != "linux":
        return float(process.memory_info().rss) / MEGABYTE
    for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1]) / 1024
    raise RuntimeError(f"the system tells no Pss of process {process.pid}")


def measure(options: Options) -> list[Figure]:
    """Figures of this metric; one long look, because idling has no repeats to take a median of."""
    lower = Better.LOWER
    figures = []
    full = filled("sqlite", options.large_queue)
    for what, taken, megabytes in (
        ("idle runner", run_side("m10_idle", "ours", {"seconds": SECONDS}), 80),
        (
            f"idle runner, {options.large_queue:,} stored, {options.large_queue // 10:,} waiting for a worker",
            run_side("m10_idle", "with_full_queue", {"where": full, "seconds": SECONDS}),
            250,
        ),
    ):
        whole = f"{what}, with its {taken['processes'] - 1:.0f} other processes"
        figures += [
            Figure(
                "10", f"{what}, over {SECONDS} s", "% of a core", [taken["runner_percent"]], target=0.2, better=lower
            ),
            Figure("10", whole, "% of a core", [taken["all_percent"]], target=0.2, better=lower),
            Figure("10", f"{what}: memory (PSS)", "MB", [taken["runner_megabytes"]], target=megabytes, better=lower),
            Figure("10", f"{whole}: memory (PSS)", "MB", [taken["all_megabytes"]], better=lower),
        ]
    return figures
