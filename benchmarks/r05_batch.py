"""Metric r5: isolated jobflow jobs a second inside a batch allocation of two cores, on Slurm where there is one."""

import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.engine import complete, engine, tow
from benchmarks.measurement import Better, Figure, Options
from benchmarks.side import run_side
from benchmarks.site import slurm_host
from towline.testing.account_python import account_python
from towline.testing.debian import NotPossibleHere, server_folder

_JOBS = 600
_SLURM = """\
    type: remote
    scheduler_type: slurm
    host: {alias}
    ssh_config: {config}
    python: {python}
    work_dir: {place}/jobs{now}
    resources: {{partition: debug, nodes: 1, ntasks: 2, mem: 2000, time: "00:10:00"}}
"""
_SHELL = """\
    scheduler_type: shell
    work_dir: {place}/jobs{now}
"""


def jobs_a_second(worker: str) -> float:
    """From the first start to the last end, all jobs being there before the first start."""
    from benchmarks.peer_run_locally import independent

    with engine(started=False) as home:
        batch = "    max_jobs: 1\n    batch: {parallel_jobs: 2, max_wait: 10}\n"
        (home / "site.yaml").write_text(f"name: site\nworkers:\n  site:\n{worker}{batch}")
        tow("runner", "start")
        complete(independent(_JOBS))
        tow("runner", "stop", "--wait")
        with sqlite3.connect(home / "site" / "queue.db") as queue:
            query = "SELECT count(*), max(ended_at) - min(started_at) FROM job WHERE state = 'COMPLETED'"
            number, seconds = queue.execute(query).fetchone()
            allocations = queue.execute("SELECT count(*) FROM batch").fetchone()[0]
    if (number, allocations) != (_JOBS, 1):
        raise RuntimeError(f"{number} jobs completed in {allocations} allocations")
    return float(number / seconds)


@contextmanager
def _place() -> Iterator[tuple[str, str]]:
    """What it was taken on, and the worker."""
    folder = server_folder("batch")
    try:
        with slurm_host() as host:
            facts = {"alias": host.alias, "config": host.config, "place": host.place}
            yield "Slurm", _SLURM.format(python=account_python(folder), now=time.time_ns(), **facts)
    except NotPossibleHere as reason:
        print(f"no Slurm ({reason}): on this machine without a scheduler", file=sys.stderr)
        yield "a shell", _SHELL.format(place=folder, now=time.time_ns())
    finally:
        shutil.rmtree(folder)


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    ours = []
    with _place() as (where, worker):
        for repeat in range(options.repeats):
            fresh = worker.replace("/jobs", f"/jobs{repeat}_")
            ours.append(run_side("r05_batch", "jobs_a_second", {"worker": fresh}))
    what = f"isolated jobflow jobs in an allocation of two cores ({where})"
    return [Figure("r5", what, "jobs/s", ours, None, (), 150, Better.HIGHER)]
