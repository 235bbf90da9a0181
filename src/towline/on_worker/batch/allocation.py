"""An allocation of a batch worker: an ordinary job of its scheduler, whose work is to keep a pilot on each node."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from towline.core.records import Failure, Result
from towline.on_worker.attempt_files import read_started
from towline.on_worker.batch.node import keep_pilot
from towline.on_worker.batch.nodes import cores_by_node, launcher
from towline.on_worker.batch.settings import BatchSettings

#: Kind of the payload.
KIND = "allocation"

_ASK_SECONDS = 20
_SETTINGS_FILE = "towline_pilot.json"


def run_payload(header: Mapping[str, Any], payload: bytes, references: Mapping[str, tuple[int, bytes]]) -> Result:
    """Be a pilot, or start one on each node, until the last of them has ended."""
    settings = BatchSettings.read(orjson.loads(payload))
    started = read_started(settings.run_dir)
    nodes = cores_by_node(settings.scheduler, os.environ)
    settings = replace(
        settings,
        began_at=time.time() if started is None else started.at,
        cores=tuple(nodes.values()),
        names=tuple(nodes),
    )
    settings = replace(settings, ends_at=_ends_at(settings))
    code = keep_pilot(settings) if len(nodes) == 1 else _keep_all(settings, list(nodes))
    if code == 0:
        return Result(output=b"null")
    why = f"the pilot could not be kept running; see {settings.run_dir}/node*/pilot.log"
    return Result(failure=Failure("error", why))


def _keep_all(settings: BatchSettings, names: list[str]) -> int:
    file = Path(settings.run_dir, _SETTINGS_FILE)
    file.write_bytes(orjson.dumps(settings.as_json()))
    program = [sys.executable, "-P", "-m", "towline.on_worker.batch.node", str(file)]
    commands = launcher(settings.scheduler, names, os.environ)
    # srun tells each process its number itself; the others run a command line of a shell.
    lines = (
        [[*commands[0], *program]]
        if len(commands) == 1
        else [[*words, shlex.join(program), str(number)] for number, words in enumerate(commands)]
    )
    processes: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: object) -> None:
        for process in processes:
            process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    for words in lines:
        processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL))
    codes = [process.wait() for process in processes]
    # One node that is lost does not make the work of the others a failure.
    return min(codes, key=abs)


def _ends_at(settings: BatchSettings) -> float | None:
    """When the scheduler will end the allocation, in seconds since the epoch."""
    known = [] if settings.time_limit is None else [settings.began_at + settings.time_limit]
    if settings.scheduler == "slurm" and "SLURM_JOB_ID" in os.environ:
        known += _end_by_slurm(os.environ["SLURM_JOB_ID"])
    return min(known, default=None)


def _end_by_slurm(job_id: str) -> list[float]:
    words = ["squeue", "--noheader", f"--jobs={job_id}", "--format=%e"]
    try:
        said = subprocess.run(words, capture_output=True, text=True, timeout=_ASK_SECONDS, check=True).stdout.strip()
        return [time.mktime(time.strptime(said, "%Y-%m-%dT%H:%M:%S"))]
    # It does not answer, or the job has no limit: then the limit that was asked for counts.
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
