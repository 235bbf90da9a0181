"""Metric 1: durable throughput of functions in the pooled mode."""

from benchmarks.engine import complete, engine, warm_up
from benchmarks.measurement import Figure, Options, alternate
from benchmarks.peer_run_locally import independent
from benchmarks.side import run_side

POOLED = {"execution": "pooled"}


def ours_per_second(count: int) -> float:
    """Jobs per second from submission to COMPLETED with every output readable."""
    from towline import get_jobstore

    flow = independent(count)
    with engine():
        warm_up(resources=POOLED)
        seconds = complete(flow, resources=POOLED)
        with get_jobstore() as store:
            outputs = {document["uuid"]: document["output"] for document in store.query(properties=["uuid", "output"])}
        wrong = sum(outputs.get(job.uuid) != number + 1 for number, job in enumerate(flow.jobs))
        if wrong:
            raise RuntimeError(f"{wrong} of {count} outputs are missing or wrong")
    return count / seconds


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    sides = alternate(
        options.repeats,
        {
            "thousand": lambda: run_side("m01_functions", "ours_per_second", {"count": 1000}),
            "peer": lambda: run_side("peer_run_locally", "independent_per_second", {"count": 1000}),
            "peer, 200": lambda: run_side("peer_run_locally", "independent_per_second", {"count": 200}),
            "floor": lambda: run_side("floors", "pooled_per_second"),
        },
    )
    # Building 10,000 jobflow jobs takes longer than running them; their share of the repeats is smaller.
    large = alternate(
        max(1, options.repeats // 3),
        {"ten thousand": lambda: run_side("m01_functions", "ours_per_second", {"count": 10_000})},
    )
    what = "pooled functions, 1,000 in a flow"
    return [
        Figure("1", what, "jobs/s", sides["thousand"], "run_locally, 1,000", sides["peer"], 2.5),
        Figure("1", what, "jobs/s", sides["thousand"], "run_locally, 200", sides["peer, 200"], 2.5),
        Figure("1", what, "jobs/s", sides["thousand"], "minimal runner, warm workers", sides["floor"], 0.30),
        Figure(
            "1",
            "pooled functions, 10,000 in a flow",
            "jobs/s",
            large["ten thousand"],
            "the same with 1,000",
            sides["thousand"],
            0.8,
        ),
    ]
