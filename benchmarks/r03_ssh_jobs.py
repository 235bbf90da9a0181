"""Metric r3: 100 trivial commands on a host without a scheduler, 50 ms away."""

import subprocess
import tarfile
import tempfile
import time
from io import BytesIO

from benchmarks.engine import complete, engine, tow
from benchmarks.measurement import Better, Figure, Options, alternate
from benchmarks.side import run_side
from benchmarks.site import ssh_host

_JOBS = 100


def ours(config: str, alias: str, place: str) -> float:
    """Seconds from the submission of all to COMPLETED of the last."""
    from jobflow import Flow

    from towline import command

    with engine(started=False) as home:
        (home / "far.yaml").write_text(
            f"name: far\nworkers:\n  far:\n    type: remote\n    host: {alias}\n    ssh_config: {config}\n"
            f"    work_dir: {place}/jobs{time.time_ns()}\n    max_jobs: 100\n"
        )
        tow("runner", "start")
        complete(Flow([command(["true"])]))
        seconds = complete(Flow([command(["true"]) for _ in range(_JOBS)]))
        tow("runner", "stop")
    return seconds


def tar_seconds(config: str, alias: str, place: str) -> float:
    """Seconds of one ``tar | ssh HOST tar`` of the files of one job, over a connection that is open."""
    socket = f"{tempfile.mkdtemp()}/m"
    ssh = ["ssh", "-F", config, "-S", socket]
    subprocess.run([*ssh, "-M", "-N", "-f", "-o", "ControlPersist=60", alias], check=True)
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, size in (("towline_job.jsonl", 600), ("submit.sh", 2500), ("towline_keeper", 25)):
            member = tarfile.TarInfo(f"{time.time_ns()}/{name}")
            member.size = size
            archive.addfile(member, BytesIO(bytes(size)))
    try:
        started = time.perf_counter()
        subprocess.run([*ssh, alias, f"tar -xf - -C {place}"], input=content.getvalue(), check=True)
        return time.perf_counter() - started
    finally:
        subprocess.run([*ssh, "-O", "exit", alias], check=False, capture_output=True)


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    with ssh_host(0.05) as host:
        arguments = {"config": host.config, "alias": host.alias, "place": host.place}
        sides = alternate(
            options.repeats,
            {
                "ours": lambda: run_side("r03_ssh_jobs", "ours", arguments),
                "tar": lambda: run_side("r03_ssh_jobs", "tar_seconds", arguments),
            },
        )
    per_job = [seconds / _JOBS for seconds in sides["ours"]]
    return [
        Figure("r3", "100 commands over SSH at 50 ms, in all", "s", sides["ours"], target=6.0, better=Better.LOWER),
        Figure("r3", "the same, per job", "s", per_job, "tar | ssh of one job", sides["tar"], 2.0, Better.LOWER),
    ]
