"""Metric r4: 200 trivial jobs on Slurm, against a loop of sbatch and waiting for the last one."""

import sqlite3
import statistics
import subprocess
import time
from contextlib import closing
from pathlib import Path

from benchmarks.engine import complete, engine, tow
from benchmarks.measurement import Better, Figure, Options, alternate
from benchmarks.side import run_side
from benchmarks.site import slurm_host

_JOBS = 200

#: Submits, and looks five times a second until no job is left.
_LOOP = """\
cd {place} && mkdir -p plain && cd plain || exit
printf '#!/bin/sh\\ntrue\\n' >job.sh
for number in $(seq {jobs}); do sbatch --parsable --partition=debug job.sh >/dev/null || exit; done
while [ -n "$(squeue --noheader --format=%i)" ]; do sleep 0.2; done
"""


def ours(config: str, alias: str, place: str) -> dict[str, float]:
    """Seconds from the submission of all to COMPLETED of the last, and from the end of each to its COMPLETED."""
    from jobflow import Flow

    from towline import command

    with engine(started=False) as home:
        (home / "site.yaml").write_text(
            f"name: site\nworkers:\n  site:\n    type: remote\n    scheduler_type: slurm\n    host: {alias}\n"
            f"    ssh_config: {config}\n    work_dir: {place}/jobs{time.time_ns()}\n"
            "    resources: {partition: debug}\n"
        )
        tow("runner", "start")
        complete(Flow([command(["true"])]))
        seconds = complete(Flow([command(["true"]) for _ in range(_JOBS)]))
        tow("runner", "stop")
        noticed = _noticed_seconds(home)
    return {"seconds": seconds, "noticed_median": statistics.median(noticed), "noticed_worst": max(noticed)}


def _noticed_seconds(home: Path) -> list[float]:
    # By the clock of the login node and by ours, which are the same here.
    with closing(sqlite3.connect(next(home.rglob("queue.db")))) as database:
        rows = database.execute(
            "SELECT event.at - job.ended_at FROM event JOIN job ON job.id = event.job_id "
            "WHERE event.to_state = 'COMPLETED'"
        )
        return [seconds for (seconds,) in rows]


def loop_seconds(config: str, alias: str, place: str) -> float:
    """Seconds of the loop on the login node."""
    started = time.perf_counter()
    subprocess.run(["ssh", "-F", config, alias, _LOOP.format(place=place, jobs=_JOBS)], check=True)
    return time.perf_counter() - started


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    taken: list[dict[str, float]] = []
    with slurm_host() as host:
        arguments = {"config": host.config, "alias": host.alias, "place": host.place}
        sides = alternate(
            options.repeats,
            {
                "loop": lambda: run_side("r04_slurm_jobs", "loop_seconds", arguments),
                "ours": lambda: _seconds(run_side("r04_slurm_jobs", "ours", arguments), taken),
            },
        )
    what = "200 trivial jobs on Slurm"
    worst = [one["noticed_worst"] for one in taken]
    lower = Better.LOWER
    return [
        Figure("r4", what, "s", sides["ours"], "loop of sbatch", sides["loop"], 1.15, lower),
        Figure("r4", "from the end of a job to COMPLETED, median", "s", [one["noticed_median"] for one in taken]),
        Figure("r4", "from the end of a job to COMPLETED, worst of 200", "s", worst, target=2.0, better=lower),
    ]


def _seconds(one: dict[str, float], taken: list[dict[str, float]]) -> float:
    taken.append(one)
    return one["seconds"]
