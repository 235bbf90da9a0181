"""What a runner works with, from the configuration of its project: workers, job stores and policies."""

import functools
from collections.abc import Callable
from dataclasses import replace

from towline.configuration.execution import shell_setup
from towline.configuration.hosts import host_of
from towline.configuration.job_stores import jobstore_document
from towline.configuration.model import Project, WorkerConfig
from towline.core.ports import Outputs
from towline.core.retry_policy import read_policy
from towline.operations.compose import collection, is_all_sql, make_job_store
from towline.operations.couriers import couriers_of
from towline.operations.workers import make_worker
from towline.runner.retries import RetryPolicy
from towline.runner.setup import Place, Setup
from towline.store.documents import SqlOutputs
from towline.workers.batch.worker import BatchWorker


def outputs_of(project: Project) -> Callable[[str | None], Outputs]:
    """The job store of each name as the runner uses it."""

    @functools.cache
    def outputs(name: str | None) -> Outputs:
        document = jobstore_document(project, name)
        if is_all_sql(document):
            return SqlOutputs(collection(name))
        from towline.jobflow.outputs import MaggmaOutputs  # maggma takes most of a second to load

        store = make_job_store(project, name)
        store.connect()
        return MaggmaOutputs(store)

    return outputs


def runner_setup(project: Project, previous: Setup | None = None) -> Setup:
    """What a runner of `project` works with.

    Parameters
    ----------
    previous
        The setup before a change of the configuration: workers that did not change are kept, and those that are not
        configured any more get no new jobs.
    """
    places = {
        name: _place(project, name, config, None if previous is None else previous.places.get(name))
        for name, config in project.workers.items()
    }
    if previous is not None:
        for name, place in previous.places.items():
            places.setdefault(name, replace(place, job_limit=0))
    return Setup(
        places=places,
        outputs_of=outputs_of(project),
        retries=RetryPolicy(project.runner.max_step_attempts, project.runner.delta_retry),
        db_id_prefix=project.queue.db_id_prefix or "",
        retry=read_policy(project.retry or {}),
        couriers=couriers_of(project),
        host_limits=project.max_jobs_per_host,
    )


def _place(project: Project, name: str, config: WorkerConfig, previous: Place | None) -> Place:
    is_batch = config.batch is not None
    # The resources and shell lines of a batch worker are those of its allocations, not of each job in them.
    around = replace(config, pre_run=None, post_run=None) if is_batch else config
    worker = make_worker(project, name, config, None if previous is None else previous.worker)
    return Place(
        worker=worker,
        job_limit=config.job_limit,
        work_dir=config.work_dir,
        resources={} if is_batch else config.resources or {},
        shell=functools.partial(shell_setup, project, around),
        retry=None if config.retry is None else read_policy(config.retry, f"workers.{name}.retry"),
        batches=worker if isinstance(worker, BatchWorker) else None,
        host=host_of(config),
    )
