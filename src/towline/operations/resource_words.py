"""Resources of jobs, read before they are in the queue as their worker will read them."""

from collections.abc import Mapping
from typing import Any

from towline.configuration.model import Project, WorkerConfig
from towline.core.records import PERSON, NewFlow
from towline.errors import InvalidRequest
from towline.operations.workers import queue_of
from towline.store.jobs import Defaults
from towline.workers.batch.plan import resources_of_job
from towline.workers.remote.job_scripts import array_tasks
from towline.workers.schedulers.scheduler import BatchScript
from towline.workers.schedulers.shell import read_resources


def refuse_meaningless_resources(project: Project, flow: NewFlow, defaults: Defaults) -> None:
    """Refuse what would come back from a worker as an error of each job.

    Raises
    ------
    InvalidRequest
        A word or a value means nothing to the scheduler of the worker.
    """
    seen = set()
    for job in flow.jobs:
        worker = job.worker or defaults.worker
        resources = defaults.resources if job.resources is None else job.resources
        if not resources or worker == PERSON or (worker, repr(resources)) in seen:
            continue
        seen.add((worker, repr(resources)))
        try:
            _read(project.worker(worker)[1], resources)
        except InvalidRequest as error:
            raise InvalidRequest(f"resources of the job {job.name!r} for the worker {worker}: {error}") from error


def _read(config: WorkerConfig, resources: Mapping[str, Any]) -> None:
    if config.batch is not None:
        resources_of_job(resources)
    elif config.runs_here:
        read_resources(resources)
    else:
        queue_of(config).script(BatchScript("/", "towline", ["true"], resources=resources))
        if resources.get("array") is not None:
            array_tasks(str(resources["array"]))
