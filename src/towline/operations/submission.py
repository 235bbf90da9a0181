"""Putting flows into the queue."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from towline.configuration.choice import load_project
from towline.configuration.job_stores import refuse_missing_stores
from towline.configuration.model import Project
from towline.core.records import PERSON, NewFlow
from towline.core.run_folder import checked_work_dir
from towline.errors import ConfigurationError
from towline.operations.compose import OpenProject, open_given
from towline.operations.input_staging import with_staged_inputs
from towline.store.jobs import Defaults, insert_flow

if TYPE_CHECKING:
    from jobflow import Flow, Job


def submit_flow(
    flow: "Flow | Job | list[Job]",
    worker: str | None = None,
    project: str | None = None,
    exec_config: object = None,
    resources: object = None,
    priority: int = 0,
    allow_external_references: bool = False,
    jobstore: str | None = None,
    work_dir: str | PurePath | None = None,
) -> list[str]:
    """Put a jobflow flow, or a job, into the queue. Starts nothing: the runner does.

    Parameters
    ----------
    flow
        What to run.
    worker
        Where; the first worker of the project by default. A job's own `manager_config` goes before.
    project
        Name of the project; the chosen or only one by default, else the built-in project "default".
    exec_config
        Environment for the jobs: the name of one in the project, or a mapping with modules, export, pre_run, post_run.
    resources
        For the scheduler of the worker: a mapping, or a qtoolkit QResources. Replaces the worker's own.
    priority
        Higher runs first.
    allow_external_references
        Whether jobs may refer to outputs of jobs outside the flow. Where such a job is in the queue, it is waited for.
    jobstore
        Name of the optional job store of the project for the outputs.
    work_dir
        Absolute path of the folder, on the worker, that the run folders are in, instead of that of the worker.

    Returns
    -------
    The ids of the jobs, as `tow job info` takes them.

    Raises
    ------
    InvalidFlow
        The flow cannot be stored: a missing reference, a cycle, a function no worker could find.
    ConfigurationError
        No such project, worker, exec_config or job store.
    InvalidRequest
        `work_dir` is no absolute path, or resources mean nothing to the scheduler of their worker.
    """
    with open_given(load_project(project)) as opened:
        return submit(
            opened,
            flow,
            worker=worker,
            exec_config=exec_config,
            resources=resources,
            priority=priority,
            allow_external_references=allow_external_references,
            jobstore=jobstore,
            work_dir=work_dir,
        )


def submit(
    opened: OpenProject,
    flow: "Flow | Job | list[Job]",
    *,
    worker: str | None = None,
    exec_config: object = None,
    resources: object = None,
    priority: int = 0,
    allow_external_references: bool = False,
    jobstore: str | None = None,
    work_dir: str | PurePath | None = None,
) -> list[str]:
    """Put a flow into the queue of an open project; see :func:`submit_flow`."""
    # jobflow takes most of a second to load; whoever has a flow has it loaded already.
    from towline.jobflow.convert import flow_to_records, unchanged_when_refused

    with unchanged_when_refused(flow) as given:
        records = flow_to_records(given, allow_external_references=allow_external_references, jobstore=jobstore)
        return submit_records(
            opened,
            records,
            worker=worker,
            exec_config=exec_config,
            resources=resources,
            priority=priority,
            work_dir=work_dir,
        )


def submit_records(
    opened: OpenProject,
    flow: NewFlow,
    *,
    worker: str | None = None,
    exec_config: object = None,
    resources: object = None,
    priority: int = 0,
    work_dir: str | PurePath | None = None,
) -> list[str]:
    """Check what the configuration has to say about a flow, and put it into the queue."""
    project = opened.project
    worker_name, _ = project.worker(worker)
    defaults = Defaults(
        worker=worker_name,
        priority=priority,
        resources=plain_mapping("resources", resources),
        exec_config=exec_config if isinstance(exec_config, str) else plain_mapping("exec_config", exec_config),
        work_dir=None if work_dir is None else checked_work_dir(work_dir),
    )
    _check(project, flow, defaults)
    flow = with_staged_inputs(opened, flow, worker_name)
    with opened.database.transaction() as transaction:
        ids = insert_flow(transaction, flow, defaults)
    opened.wake_runner()
    return [opened.db_id(job_id) for job_id in ids]


def plain_mapping(what: str, value: object) -> Mapping[str, Any] | None:
    """A mapping from what users give for resources or an environment: a mapping, or an object that has `as_dict`.

    Raises
    ------
    ConfigurationError
        It is neither.
    """
    if value is None or isinstance(value, Mapping):
        return value
    for method in ("as_dict", "model_dump"):
        if hasattr(value, method):
            found: Mapping[str, Any] = getattr(value, method)()
            return found
    raise ConfigurationError(f"{what} is {value!r}; give a mapping such as {{'time_limit': 3600}}")


def _check(project: Project, flow: NewFlow, defaults: Defaults) -> None:
    """Refuse now what the runner would only find out later."""
    workers = {defaults.worker, *(job.worker for job in flow.jobs if job.worker is not None)}
    for name in workers - {PERSON}:
        project.worker(name)
    for config in _names([defaults.exec_config, *(job.exec_config for job in flow.jobs)]):
        project.execution_config(config)
    if defaults.resources or any(job.resources for job in flow.jobs):
        # Schedulers and connections take a while to load, and most flows name no resources.
        from towline.operations.resource_words import refuse_meaningless_resources

        refuse_meaningless_resources(project, flow, defaults)
    refuse_missing_stores(project, flow.jobstore, ((job.name, job.additional_stores) for job in flow.jobs))


def _names(configs: Sequence[object]) -> set[str]:
    return {config for config in configs if isinstance(config, str)}
