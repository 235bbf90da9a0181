"""Metric 4: from a parent's end to its child's start, in a chain of 50 with the default configuration."""

import itertools
import statistics

from benchmarks.engine import complete, engine, warm_up
from benchmarks.measurement import Better, Figure, Options, alternate
from benchmarks.peer_run_locally import chain
from benchmarks.side import run_side

LINKS = 50


def ours(count: int) -> dict[str, float]:
    """Milliseconds per link, and of the gaps between the stored end of a parent and the stored start of its child."""
    from towline import JobController

    flow = chain(count)
    with engine():
        warm_up()
        seconds = complete(flow)
        controller = JobController.from_project_name(None)
        stored = {info.uuid: info for info in controller.get_jobs_info(flow_ids=[flow.uuid])}
        controller.close()
    ordered = [stored[job.uuid] for job in flow.jobs]
    gaps = [
        1000 * (child.start_time - parent.end_time).total_seconds() for parent, child in itertools.pairwise(ordered)
    ]
    return {
        "per_link": 1000 * seconds / count,
        "gap_p50": statistics.median(gaps),
        "gap_p99": statistics.quantiles(gaps, n=100, method="inclusive")[98],
    }


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    measured: list[dict[str, float]] = []

    def take() -> float:
        measured.append(run_side("m04_chain", "ours", {"count": LINKS}))
        return measured[-1]["per_link"]

    sides = alternate(
        options.repeats,
        {
            "ours": take,
            "peer": lambda: 1000 / run_side("peer_run_locally", "chain_per_second", {"count": LINKS}),
        },
    )
    what = f"chain of {LINKS}, default configuration"
    gaps = [one["gap_p50"] for one in measured]
    slow = [one["gap_p99"] for one in measured]
    return [
        Figure("4", f"{what}: parent's end to child's start, p50", "ms", gaps, target=5, better=Better.LOWER),
        Figure("4", f"{what}: parent's end to child's start, p99", "ms", slow, target=50, better=Better.LOWER),
        Figure("4", f"{what}: per link", "ms", sides["ours"], target=25, better=Better.LOWER),
        Figure("4", f"{what}: per link", "ms", sides["ours"], "run_locally, not durable", sides["peer"]),
    ]
