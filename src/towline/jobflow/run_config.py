"""Where and how jobs run, set on the jobs themselves."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import PurePath
from typing import Any, TypeVar

from jobflow import Flow, Job, JobConfig

from towline.core.run_folder import checked_work_dir
from towline.jobflow.retry_settings import plain_policy

FlowOrJob = TypeVar("FlowOrJob", Flow, Job)


def set_run_config(
    flow_or_job: FlowOrJob,
    name_filter: str | None = None,
    function_filter: Callable[..., Any] | None = None,
    exec_config: str | Mapping[str, Any] | object | None = None,
    resources: Mapping[str, Any] | object | None = None,
    priority: int | None = None,
    worker: str | None = None,
    dynamic: bool = True,
    overwrite: bool = False,
    retry: Mapping[str, Any] | None = None,
    work_dir: str | PurePath | None = None,
) -> FlowOrJob:
    """Set worker, environment, resources, priority, retry policy or work_dir of jobs, before those of `submit_flow`.

    Parameters
    ----------
    flow_or_job
        It is changed in place.
    name_filter
        Only jobs whose name contains this text.
    function_filter
        Only jobs that run this function.
    exec_config, resources, priority, worker
        None leaves a setting as it is. An empty mapping is a value: explicitly no environment, no resources.
    dynamic
        Also for jobs that these jobs make while they run.
    overwrite
        Replace the whole configuration of the jobs instead of adding to it.
    retry
        What follows a failure: ``{reason: rule}``, see :mod:`towline.core.retry_policy`. A rule says how often the job
        runs again, or is a mapping with `times`, `delay_seconds`, `multiply`, `limits`, `resources`, `keep` and
        `handler` (``"module:function"``, or the function). An empty mapping: never.
    work_dir
        Absolute path of the folder, on the worker, that the run folders are in, instead of that of the worker;
        an empty text is that of the worker.

    Returns
    -------
    `flow_or_job` itself.

    Raises
    ------
    ConfigurationError
        `retry` is no policy.
    InvalidRequest
        `work_dir` is no absolute path.
    """
    policy = None if retry is None else plain_policy(retry)
    settings = {
        "exec_config": exec_config,
        "resources": resources,
        "worker": worker,
        "priority": priority,
        "retry": policy,
        "work_dir": None if work_dir is None else checked_work_dir(work_dir),
    }
    given = {key: value for key, value in settings.items() if value is not None}
    if not given:
        return flow_or_job
    config: dict[str, Any]
    if overwrite:
        # Every key of a new configuration, and not a JobConfig: that would be one object for all the jobs.
        config = {item.name: getattr(JobConfig(), item.name) for item in fields(JobConfig)}
        config["manager_config"] = given
    else:
        config = {"_set": {f"manager_config->{key}": value for key, value in given.items()}}
    flow_or_job.update_config(
        config=config,
        name_filter=name_filter,
        function_filter=function_filter,
        dynamic=dynamic,
        dict_mod=not overwrite,
    )
    return flow_or_job
