"""Rehearse what a forked job does, in the process that forks.

The first times an interpreter runs something it writes: caches of methods, specialised bytecode, memory of types. In a
fork each page that is written has to be copied, which costs more than the job itself. Written here, before the forks,
those pages are shared.
"""

import contextlib
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import orjson

from towline.core.records import pack_job
from towline.core.run_folder import JOB_FILE
from towline.on_worker import launch
from towline.on_worker.attempt_files import write
from towline.on_worker.payload_registry import rehearsals

logger = logging.getLogger("towline.pilot")

#: Enough for the interpreter to specialise what it runs.
_TIMES = 12


class _NoGate:
    def close(self) -> None:
        """Nothing is held."""


def rehearse(state_dir: str) -> None:
    """Run harmless jobs of the kinds that are loaded, and leave nothing of them.

    Parameters
    ----------
    state_dir
        Where their folders are made meanwhile.
    """
    folder = ""
    try:
        with _surroundings_restored():
            folder = tempfile.mkdtemp(prefix="rehearsal-", dir=state_dir)
            for kind, (header, payload) in rehearsals().items():
                content = pack_job({"payload_kind": kind, **header}, payload, [])
                for number in range(_TIMES):
                    _run(f"{folder}/{kind}-{number}", content)
    # Forks are slower without it, and nothing else.
    except Exception as error:
        logger.warning("jobs cannot be rehearsed: %s: %s", type(error).__name__, error)
    shutil.rmtree(folder, ignore_errors=True)


def _run(run_dir: str, content: bytes) -> None:
    os.mkdir(run_dir)  # noqa: PTH102 - as jobs do
    write(f"{run_dir}/{JOB_FILE}", content)
    surroundings = {"run_dir": run_dir, "variables": {}, "output": "queue.out", "error": "queue.err"}
    launch.run_job_here(launch.Surroundings(**orjson.loads(orjson.dumps(surroundings))), _NoGate())


@contextlib.contextmanager
def _surroundings_restored() -> Iterator[None]:
    """Put the folder, the environment and the standard streams back in the end."""
    folder, environment, kept = os.getcwd(), dict(os.environ), [os.dup(number) for number in range(3)]  # noqa: PTH109
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(kept):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
