"""Running one job by hand, as a worker does it."""

from pathlib import Path

from towline.core.run_folder import JOB_FILE
from towline.errors import InvalidRequest
from towline.on_worker.run_job import main


def run_job_here(run_dir: Path) -> int:
    """Run the job of a run folder in this process, unless it was started before; return its exit code.

    Raises
    ------
    InvalidRequest
        The folder has no job.
    """
    if not (run_dir / JOB_FILE).is_file():
        raise InvalidRequest(f"{run_dir.resolve()} is no run folder: it has no {JOB_FILE}")
    return main([str(run_dir.resolve())])
