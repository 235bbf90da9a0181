"""jobflow's own ``run_locally``: in one process, outputs in memory, nothing survives it."""

import operator
import os
import tempfile
import time
import warnings

from jobflow import Flow, Job, JobStore, run_locally
from maggma.stores import MemoryStore


def independent(count: int) -> Flow:
    """A flow of `count` additions that do not know of each other."""
    return Flow([Job(operator.add, function_args=(number, 1)) for number in range(count)])


def chain(count: int) -> Flow:
    """A flow of `count` additions, each of which needs the one before."""
    jobs = [Job(operator.add, function_args=(0, 1))]
    for _ in range(count - 1):
        jobs.append(Job(operator.add, function_args=(jobs[-1].output, 1)))
    return Flow(jobs)


def independent_per_second(count: int) -> float:
    """Jobs per second for independent jobs."""
    return count / _seconds(independent(count))


def chain_per_second(count: int) -> float:
    """Links per second for a chain."""
    return count / _seconds(chain(count))


def _seconds(flow: Flow) -> float:
    # jobflow uses a context manager that its own dependency deprecates, once per job.
    warnings.simplefilter("ignore", FutureWarning)
    with tempfile.TemporaryDirectory(prefix="towline-peer-") as folder:
        os.chdir(folder)
        started = time.perf_counter()
        responses = run_locally(flow, store=JobStore(MemoryStore()), log=False, ensure_success=True)
        seconds = time.perf_counter() - started
    if len(responses) != len(flow.jobs):
        raise RuntimeError(f"run_locally answered for {len(responses)} of {len(flow.jobs)} jobs")
    return seconds
