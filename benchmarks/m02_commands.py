"""Metric 2: throughput of command jobs, each a ``/bin/true`` with its exit code and output kept."""

from benchmarks.engine import complete, engine
from benchmarks.measurement import Figure, Options, alternate
from benchmarks.side import run_side


def ours_per_second(count: int) -> float:
    """Commands per second from submission to COMPLETED."""
    from jobflow import Flow

    from towline import command

    flow = Flow([command(["true"]) for _ in range(count)])
    with engine():
        complete(Flow([command(["true"])]))
        return count / complete(flow)


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    sides = alternate(
        options.repeats,
        {
            "ours": lambda: run_side("m02_commands", "ours_per_second", {"count": 5000}),
            "floor": lambda: run_side("floors", "spawned_per_second"),
        },
    )
    return [
        Figure(
            "2",
            "5,000 command jobs /bin/true",
            "jobs/s",
            sides["ours"],
            "minimal runner, posix_spawn",
            sides["floor"],
            0.5,
        )
    ]
