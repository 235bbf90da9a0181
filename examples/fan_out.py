"""A fan-out: one job makes as many jobs as its parent's answer asks for, and a last one gathers them.

Estimates pi with random points, each batch of them a job with a seed of its own. Run it with ``python fan_out.py``
while a runner is active (``tow runner start``); it submits to the default project and waits.
"""

import argparse
import random
import sys

from jobflow import Flow, Response, job

from towline import get_jobstore, submit_flow, wait_flow


@job
def choose_seeds(count: int) -> list[int]:
    """The seeds, one for each batch."""
    return list(range(1, count + 1))


@job
def throw_batches(seeds: list[int], points: int) -> Response:
    """One job per seed, and one that gathers them, in place of this job."""
    batches = [count_inside(seed, points) for seed in seeds]
    gathered = estimate([batch.output for batch in batches], points)
    return Response(replace=Flow([*batches, gathered], output=gathered.output))


@job
def count_inside(seed: int, points: int) -> int:
    """How many of the random points in the unit square fall inside the unit circle."""
    # A generator of its own: the same seed gives the same answer in any process.
    generator = random.Random(seed)
    return sum(generator.random() ** 2 + generator.random() ** 2 <= 1.0 for _ in range(points))


@job
def estimate(inside: list[int], points: int) -> float:
    """Pi from the share of points inside."""
    return 4.0 * sum(inside) / (len(inside) * points)


def main() -> int:
    """Submit, wait, print; 0 when the estimate is within 0.02 of pi (six standard deviations of 250,000 points)."""
    parser = argparse.ArgumentParser(description="Estimate pi with a fan-out of jobs.")
    parser.add_argument("--batches", type=int, default=25, help="number of jobs (%(default)s)")
    parser.add_argument("--points", type=int, default=10_000, help="random points per job (%(default)s)")
    arguments = parser.parse_args()
    seeds = choose_seeds(arguments.batches)
    thrown = throw_batches(seeds.output, arguments.points)
    if not wait_flow(submit_flow(Flow([seeds, thrown], name="pi")), timeout_seconds=120):
        print("the flow did not complete; look with: tow job list", file=sys.stderr)
        return 1
    with get_jobstore() as store:
        pi = store.get_output(thrown.uuid, load=True)
    print(f"pi = {pi:.4f} from {arguments.batches} jobs of {arguments.points} points")
    return 0 if abs(pi - 3.14159265) < 0.02 else 1


if __name__ == "__main__":
    sys.exit(main())
