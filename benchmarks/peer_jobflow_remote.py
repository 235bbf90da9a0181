"""jobflow-remote with its delays tuned down, on a local shell worker; runs with an interpreter that has it installed.

Its queue needs MongoDB. Here that is an in-process imitation (maggma's MemoryStore), so its database is cheaper than a
real one and lasts no longer than the process.
"""

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

DELAY_SECONDS = 0.05
DELAYS = ("delay_checkout", "delay_check_run_status", "delay_advance_status")


def independent_per_second(count: int) -> float:
    """Jobs per second for independent additions, submission included."""
    return _per_second(count, chained=False)


def chain_per_second(count: int) -> float:
    """Links per second for a chain of additions, submission included."""
    return _per_second(count, chained=True)


def _per_second(count: int, *, chained: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="towline-peer-") as folder:
        projects = Path(folder) / "projects"
        projects.mkdir()
        (projects / "peer.json").write_text(json.dumps(_project(folder)))
        os.environ["JFREMOTE_PROJECTS_FOLDER"] = str(projects)
        # The peer reads its settings when it is imported; and only its own interpreter has it.
        from jobflow import Flow
        from jobflow_remote.jobs.runner import Runner
        from jobflow_remote.testing import add
        from maggma.stores import MemoryStore

        # The peer closes its stores after each job; this imitation would lose its content.
        MemoryStore.close = lambda store: None

        jobs = [add(0, 1)]
        for number in range(1, count):
            jobs.append(add(jobs[-1].output if chained else number, 1))
        runner = Runner("peer")
        # The collections live in this one object, and would be others in a second one.
        controller = runner.job_controller
        controller.reset(reset_output=True, max_limit=0)
        started = time.perf_counter()
        controller.add_flow(Flow(jobs), worker="local")
        runner.run_all_jobs(max_seconds=200)
        seconds = time.perf_counter() - started
        done = controller.count_jobs(query={"state": "COMPLETED"})
    if done != count:
        raise RuntimeError(f"jobflow-remote completed {done} of {count} jobs")
    return count / seconds


def _project(folder: str) -> dict[str, object]:
    work = Path(folder) / "work"
    work.mkdir()
    return {
        "name": "peer",
        "base_dir": folder,
        "log_level": "error",
        "runner": dict.fromkeys(DELAYS, DELAY_SECONDS),
        "workers": {
            "local": {
                "type": "local",
                "scheduler_type": "shell",
                "work_dir": str(work),
                "pre_run": f"export PATH={Path(sys.executable).parent}:$PATH",
                "timeout_execute": 60,
            }
        },
        "queue": {"store": {"type": "MemoryStore", "collection_name": "jobs"}},
        "exec_config": {},
        "jobstore": {"docs_store": {"type": "MemoryStore", "collection_name": "outputs"}},
    }
