"""Workers as their configuration describes them."""

import sys
from dataclasses import replace
from pathlib import Path

from towline.configuration.execution import shell_setup
from towline.configuration.model import GatewayConfig, Project, WorkerConfig, processor_count
from towline.core.ports import Worker
from towline.errors import ConfigurationError
from towline.workers.batch.endings import AllocationEndings
from towline.workers.batch.plan import BatchPlan, expected_jobs, time_limit_of
from towline.workers.batch.worker import BatchWorker
from towline.workers.environments.expectation import own_expectation
from towline.workers.local import LocalWorker
from towline.workers.remote.folders import Site
from towline.workers.remote.queues import Queue
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.remote.worker import RemoteWorker
from towline.workers.schedulers.catalogue import scheduler
from towline.workers.transports.local import LocalTransport
from towline.workers.transports.shell_text import Shell
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.ssh_settings import SshSettings
from towline.workers.transports.transport import Transport

#: Interpreter on hosts whose worker names none.
_USUAL_PYTHON = "python3"


def make_worker(project: Project, name: str, config: WorkerConfig, previous: Worker | None = None) -> Worker:
    """The worker that `config` describes; the previous one when that still does it, which is closed otherwise.

    Raises
    ------
    ConfigurationError
        The configuration describes none.
    """
    worker: Worker
    if config.runs_here:
        worker = local_worker(project, name, config)
        if isinstance(previous, LocalWorker) and previous.same_as(worker):
            previous.set_slots(config.job_limit)
            return previous
    elif config.batch is not None:
        # What is around an allocation, and their number, are part of what such a worker is made from.
        around = {name: getattr(config, name) for name in ("max_jobs", "resources", "pre_run", "post_run")}
        description = replace(_description(config), **around)
        if isinstance(previous, BatchWorker) and _still_does(previous, description):
            return previous
        worker = batch_worker(project, name, config, description)
    else:
        if isinstance(previous, RemoteWorker) and _still_does(previous, _description(config)):
            previous.set_slots(config.job_limit)
            return previous
        worker = remote_worker(name, config)
    if previous is not None:
        previous.close()
    return worker


def _still_does(previous: RemoteWorker, description: WorkerConfig) -> bool:
    # Jobs that wait for another environment have the shell lines of before; another worker gets them anew.
    return previous.description == description and not previous.status()["environment_differs"]


def remote_worker(name: str, config: WorkerConfig) -> RemoteWorker:
    """A worker behind a transport and a scheduler."""
    site = Site(
        worker=name,
        work_dir=str(config.work_dir),
        queue=queue_of(config),
        python=python_of(config),
        execution_cmd=config.execution_cmd,
        expected=own_expectation(),
    )
    return RemoteWorker(site, transport_of(name, config), config.job_limit, description=_description(config))


def batch_worker(project: Project, name: str, config: WorkerConfig, description: object = None) -> BatchWorker:
    """A worker whose jobs run inside allocations."""
    batch = batch_plan(project, name, config)
    return BatchWorker(_batch_site(name, config), batch, transport_of(name, config), description=description)


def allocation_endings(project: Project, worker: str, transport: Transport) -> AllocationEndings:
    """What ends allocations of a batch worker.

    Raises
    ------
    ConfigurationError
        There is no such worker, or it is no batch worker any more.
    """
    name, config = project.worker(worker)
    return AllocationEndings(_batch_site(name, config), batch_plan(project, name, config), transport)


def _batch_site(name: str, config: WorkerConfig) -> Site:
    # Pilots start jobs as a shell does; the scheduler has the allocations only.
    return Site(
        worker=name,
        work_dir=str(config.work_dir),
        queue=ShellQueue(),
        python=python_of(config),
        execution_cmd=config.execution_cmd,
        expected=own_expectation(),
    )


def batch_plan(project: Project, name: str, config: WorkerConfig) -> BatchPlan:
    """How a batch worker uses its scheduler.

    Raises
    ------
    ConfigurationError
        It is none, or the time limit of its allocations means nothing.
    """
    batch = config.batch
    if batch is None:
        raise ConfigurationError(f"the worker {name} is no batch worker; give it the key `batch`")
    usual = config.work_dir / ".towline_batch" / f"{project.name}_{name}"
    resources = config.resources or {}
    return BatchPlan(
        queue=queue_of(config),
        spool=str(batch.jobs_handle_dir or usual / "jobs"),
        allocations=str(batch.work_dir or usual / "allocations"),
        max_allocations=config.max_jobs or 0,
        resources=resources,
        shell=shell_setup(project, config, None),
        execution=config.execution,
        preload=config.preload,
        parallel_jobs=batch.parallel_jobs,
        expected_jobs=expected_jobs(resources, processor_count() if config.type == "local" else 1),
        max_jobs_per_batch=batch.max_jobs_per_batch,
        max_time=batch.max_time,
        max_wait=batch.max_wait,
        sleep_time=batch.sleep_time,
        grace_seconds=config.time_limit_grace_seconds,
        time_limit=time_limit_of(resources),
    )


def python_of(config: WorkerConfig) -> str:
    """Interpreter of Python jobs on a worker."""
    return config.python or (sys.executable if config.type == "local" else _USUAL_PYTHON)


def queue_of(config: WorkerConfig) -> Queue:
    """What starts the jobs of a worker."""
    if config.scheduler_type == "shell":
        return ShellQueue(config.time_limit_grace_seconds)
    return scheduler(config.scheduler_type)


def transport_of(name: str, config: WorkerConfig) -> Transport:
    """The way to a worker.

    Raises
    ------
    ConfigurationError
        A value means nothing to ssh.
    """
    limit = float(config.timeout_execute)
    if config.type == "local":
        return LocalTransport(name, Shell(config.shell_cmd, login=False), limit)
    return SshTransport(name, ssh_settings(config), Shell(config.shell_cmd, login=config.login_shell), limit)


def ssh_settings(config: WorkerConfig) -> SshSettings:
    """How the host of a remote worker is reached."""
    return SshSettings(
        host=config.host or "",
        user=config.user,
        port=config.port,
        key_filename=_keys(config.key_filename),
        gateway=_gateway(config.gateway, config.ssh_config),
        keepalive_seconds=config.keepalive,
        connect_timeout_seconds=config.connect_timeout,
        forward_agent=config.forward_agent,
        config_file=config.ssh_config,
    )


def local_worker(project: Project, name: str, config: WorkerConfig) -> LocalWorker:
    """The worker of this machine that `config` describes."""
    return LocalWorker(
        name=name,
        work_dir=config.work_dir,
        state_dir=worker_state_dir(project, name),
        slots=config.job_limit,
        execution=config.execution,
        preload=config.preload,
        grace_seconds=config.time_limit_grace_seconds,
        python=config.python or sys.executable,
        execution_cmd=config.execution_cmd,
    )


def worker_state_dir(project: Project, name: str) -> Path:
    """Where a worker on this machine keeps its log and what outlives a runner."""
    return project.daemon_dir / f"worker_{name}"


def _description(config: WorkerConfig) -> WorkerConfig:
    """What a change of makes another worker."""
    return replace(config, max_jobs=None, resources=None, pre_run=None, post_run=None, retry=None)


def _keys(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given or ()


def _gateway(given: str | GatewayConfig | None, config_file: Path | None) -> SshSettings | str | None:
    if given is None or isinstance(given, str):
        return given
    return SshSettings(
        host=given.host,
        user=given.user,
        port=given.port,
        key_filename=_keys(given.key_filename),
        gateway=_gateway(given.gateway, config_file),
        config_file=config_file,
    )
