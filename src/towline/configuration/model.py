"""The values of a project, as every other ring sees them.

Light on purpose: the built-in default project is made of these classes without pydantic. A project file is validated
against the same classes by :mod:`towline.configuration.schema`. The text below each field is its documentation for the
reader, in ``tow project generate --full`` and in the JSON schema; it is a string and no comment so that the syntax tree
has it.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from towline.configuration.secrets import masked, resolve
from towline.errors import ConfigurationError

LogLevel = Literal["error", "warn", "info", "debug"]
Execution = Literal["warm", "cold", "pooled"]

#: Read by pydantic when it validates one of the classes.
_VALIDATION = {
    "extra": "forbid",
    "hide_input_in_errors": True,
    "coerce_numbers_to_str": True,
    "allow_inf_nan": False,
}

SQLITE_PREFIX = "sqlite:///"

#: Jobs of a batch worker that are in its spool or run; the others wait in the queue, where they can still be changed.
BATCH_JOB_LIMIT = 2000


class Limits:
    """Limits of a value in a project file, in a form that pydantic asks for and that costs no import."""

    def __init__(self, **limits: float | str) -> None:
        self.limits = limits

    def __get_pydantic_core_schema__(
        self, source: object, handler: Callable[[object], dict[str, Any]]
    ) -> dict[str, Any]:
        """The schema of the value with these limits added."""
        return {**handler(source), **self.limits}


#: A name that may become part of a path or of a command line.
Name = Annotated[str, Limits(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=64)]
#: Period of something that is repeated; the lower limit keeps a loop from spinning.
Period = Annotated[float, Limits(ge=0.01)]
#: Seconds to wait.
Delay = Annotated[float, Limits(ge=0)]


class _Masked:
    """Shows the fields of a dataclass with passwords, tokens and the like replaced."""

    __slots__ = ()

    def __repr__(self) -> str:
        # Only subclasses that are dataclasses exist.
        names = [item.name for item in fields(self)]  # type: ignore[arg-type]
        shown = ", ".join(f"{name}={masked(getattr(self, name), name)!r}" for name in names)
        return f"{type(self).__name__}({shown})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunnerOptions(_Masked):
    """How often the runner looks, and how often it tries."""

    __pydantic_config__ = _VALIDATION

    delay_checkout: Period = 30
    """Accepted for files of jobflow-remote: the runner is woken by a submission, and looks every second besides."""
    delay_check_run_status: Period = 30
    """Accepted for files of jobflow-remote: workers tell of the start and the end of a job at once."""
    delay_advance_status: Period = 30
    """Accepted for files of jobflow-remote: jobs move on at once."""
    delay_refresh_limited: Period = 600
    """Accepted for files of jobflow-remote: the jobs that count against max_jobs are counted at every claim."""
    delay_update_batch: Period = 60
    """Accepted for files of jobflow-remote: allocations are looked at together with the jobs in them."""
    delay_ping_db: Period = 3600
    """Accepted for files of jobflow-remote: the lease of the runner is its sign of life."""
    lock_timeout: Annotated[float, Limits(ge=1)] | None = 86400
    """Accepted for files of jobflow-remote: leases expire by themselves, much sooner."""
    delete_tmp_folder: bool = True
    """Accepted for files of jobflow-remote: results of a local worker are not copied."""
    max_step_attempts: Annotated[int, Limits(ge=0)] = 3
    """Failed tries of an action of the runner before the job goes to REMOTE_ERROR at the next one."""
    delta_retry: Annotated[tuple[Delay, ...], Limits(min_length=1)] = (30, 300, 1200)
    """Seconds to wait before each further try; the last one repeats."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GatewayConfig(_Masked):
    """A host on the way to another one."""

    __pydantic_config__ = _VALIDATION

    host: str
    """Name in ~/.ssh/config, host name or address; user@host too."""
    user: str | None = None
    """Account there; as in ~/.ssh/config when it is not given."""
    port: Annotated[int, Limits(ge=1, le=65535)] | None = None
    """Port there; as in ~/.ssh/config when it is not given."""
    key_filename: str | tuple[str, ...] | None = None
    """Private key, or several, for this host."""
    gateway: "str | GatewayConfig | None" = None
    """The host to go through to reach this one."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BatchConfig(_Masked):
    """How a batch worker uses its scheduler: many jobs inside each allocation."""

    __pydantic_config__ = _VALIDATION

    jobs_handle_dir: Path | None = None
    """Absolute path of the folder, on the worker, in which jobs wait for a pilot; one of its own for each worker.
    `.towline_batch/PROJECT_WORKER/jobs` in work_dir when it is not given."""
    work_dir: Path | None = None
    """Absolute path of the folder, on the worker, for the folders of the allocations;
    `.towline_batch/PROJECT_WORKER/allocations` in work_dir when it is not given."""
    max_jobs_per_batch: Annotated[int, Limits(ge=1)] | None = None
    """Jobs after which an allocation ends."""
    max_wait: Delay = 60
    """Seconds without anything to do after which an allocation ends, all of its nodes together."""
    max_time: Annotated[float, Limits(gt=0)] | None = None
    """Seconds after which an allocation begins no further job. Before its time limit it ends by itself in any case."""
    parallel_jobs: Annotated[int, Limits(ge=1)] | None = None
    """Jobs at the same time in an allocation, on all its nodes together; one for each processor when not given."""
    sleep_time: Annotated[float, Limits(ge=0.01)] = 1
    """The longest pause, in seconds, between two looks of an idle pilot for jobs."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WorkerConfig(_Masked):
    """A place where jobs run: this machine or a host behind SSH, with or without a batch scheduler."""

    __pydantic_config__ = _VALIDATION

    type: Literal["local", "remote"] = "local"
    """Where the worker is: `local` is this machine, `remote` a host behind SSH."""
    scheduler_type: Annotated[str, Limits(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")] = "shell"
    """What starts the jobs: `shell` starts them at once, up to max_jobs; `slurm`, `pbs` and `sge` are batch
    schedulers."""
    work_dir: Path
    """Absolute path of the folder for the run folders of the jobs, on the worker; on this machine `jobs` in base_dir
    when it is not given."""
    resources: Mapping[str, Any] | None = None
    """Resources of jobs that name none, for example {time_limit: 3600}."""
    pre_run: str | None = None
    """Shell lines before each job."""
    post_run: str | None = None
    """Shell lines after each job."""
    timeout_execute: Annotated[int, Limits(gt=0)] = 60
    """Seconds that a command of towline itself may take on the worker, and that a transfer may stand still."""
    max_jobs: Annotated[int, Limits(ge=0)] | None = None
    """Jobs at the same time, with a scheduler those that wait in its queue included; 0 starts no new ones. null is the
    number of processors of this machine, 16 on another host, 1000 with a scheduler. A batch worker needs it: it is the
    number of its allocations."""
    batch: BatchConfig | None = None
    """Makes it a batch worker: many jobs inside each job of the scheduler. `resources`, pre_run and post_run are those
    of the allocations."""
    scheduler_username: str | None = None
    """Accepted for files of jobflow-remote: schedulers are asked about the jobs of the user who logs in."""
    sanitize_command: bool = False
    """Accepted for files of jobflow-remote: what a login shell prints never disturbs."""
    delay_download: Annotated[int, Limits(ge=0)] | None = None
    """Accepted for files of jobflow-remote: results appear whole, so there is nothing to wait for."""
    execution: Execution = "warm"
    """On this machine without a scheduler: `warm` forks each job from a process that has done the imports, `cold`
    starts a new Python, `pooled` runs functions in a few processes that live on."""
    preload: tuple[Annotated[str, Limits(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$")], ...] = ()
    """Further modules that a warm worker imports before the first job."""
    time_limit_grace_seconds: Delay = 10
    """Seconds between the polite end of a job (SIGTERM) and the certain one (SIGKILL), without a batch scheduler."""
    retry: Mapping[str, Any] | None = None
    """When jobs that say nothing themselves run again after a failure, for example {timeout: {times: 2, multiply:
    {time_limit: 2}}}; in place of the project's policy."""
    python: str | None = None
    """Python of Python jobs, where towline and jobflow are installed: a program or a path on the worker. Of another
    host it is `python3` when it is not given, of this machine the one that runs towline. Commands need none."""
    execution_cmd: str | None = None
    """Shell line that runs a Python job, in place of `python`, for containers: {} stands for the run folder, for
    example `apptainer exec app.sif python -m towline.on_worker.run_job {} --claimed`."""
    host: str | None = None
    """Of a remote worker: name in ~/.ssh/config, host name or address; user@host too."""
    user: str | None = None
    """Account on the host; as in ~/.ssh/config when it is not given."""
    port: Annotated[int, Limits(ge=1, le=65535)] | None = None
    """Port of the host; as in ~/.ssh/config when it is not given."""
    key_filename: str | tuple[str, ...] | None = None
    """Private key, or several, tried before those of ~/.ssh/config."""
    gateway: str | GatewayConfig | None = None
    """The host to go through, as text or with user, port and key_filename; a text with a space is the command that
    reaches the host (ProxyCommand). A ProxyJump of ~/.ssh/config needs none."""
    forward_agent: bool | None = None
    """Whether the agent of this machine can be used on the host; as in ~/.ssh/config when it is not given."""
    connect_timeout: Annotated[int, Limits(gt=0)] | None = None
    """Seconds to reach the host; as in ~/.ssh/config, or 20, when it is not given."""
    keepalive: Annotated[int, Limits(ge=0)] | None = None
    """Seconds between signs of life; three missing ones end the connection. As in ~/.ssh/config, or 15, when it is not
    given."""
    ssh_config: Path | None = None
    """A configuration of ssh in place of ~/.ssh/config."""
    shell_cmd: str = "bash"
    """Shell that runs the commands of towline on the worker."""
    login_shell: bool = True
    """Whether that shell reads the files of a login shell, which make modules and schedulers known, on another host."""
    interactive_login: bool = False
    """Accepted for files of jobflow-remote: `tow worker login` logs in where a person has to, on every worker."""

    @property
    def job_limit(self) -> int:
        """How many jobs may be on the worker at the same time."""
        if self.batch is not None:
            return 0 if self.max_jobs == 0 else BATCH_JOB_LIMIT
        if self.max_jobs is not None:
            return self.max_jobs
        if self.scheduler_type != "shell":
            return 1000
        return processor_count() if self.type == "local" else 16

    @property
    def runs_here(self) -> bool:
        """Whether this machine itself starts the jobs."""
        return self.type == "local" and self.scheduler_type == "shell" and self.batch is None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExecutionConfig(_Masked):
    """A named environment for jobs."""

    __pydantic_config__ = _VALIDATION

    modules: tuple[str, ...] | None = None
    """Environment modules to load."""
    export: Mapping[Annotated[str, Limits(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] | None = None
    """Environment variables to set; values are taken literally, and ${env:NAME} is replaced."""
    pre_run: str | None = None
    """Shell lines before the job, after those of the worker."""
    post_run: str | None = None
    """Shell lines after the job, after those of the worker."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HookConfig(_Masked):
    """What is done when something happens to a job or a flow."""

    __pydantic_config__ = _VALIDATION

    on: Annotated[tuple[str, ...], Limits(min_length=1)] = ("FAILED",)
    """What happens: states of jobs (FAILED, REMOTE_ERROR), states of flows (flow COMPLETED), `flow finished`, `attempt
    failed`."""
    run: str | None = None
    """Shell command, with the event as JSON on its standard input and in variables TOWLINE_EVENT_*."""
    call: Annotated[str, Limits(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$")] | None = None
    """`module:function`, called with the event in a process of its own."""
    timeout_seconds: Annotated[float, Limits(gt=0)] = 60
    """Seconds after which the command or function is ended."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueStore(_Masked):
    """The database of the queue."""

    __pydantic_config__ = _VALIDATION

    url: str
    """sqlite:////absolute/path, or postgresql+psycopg://user@host/database, whose password may be ${env:NAME} or
    ${keyring:service/user}; `queue.db` in base_dir when it is not given."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueConfig(_Masked):
    """The queue of jobs."""

    __pydantic_config__ = _VALIDATION

    store: QueueStore
    """Where the queue is."""
    db_id_prefix: Annotated[str, Limits(pattern=r"^[A-Za-z0-9_.-]*$", max_length=32)] | None = None
    """Text before the number in the ids of jobs."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Project(_Masked):
    """One configuration: workers, queue database, job store, policy."""

    __pydantic_config__ = _VALIDATION

    name: Name
    """Name of the project; it counts, not the name of the file."""
    base_dir: Path
    """Home of the project; its name in the towline home when it is not given."""
    tmp_dir: Path
    """Folder for files on their way; `tmp` in base_dir when it is not given."""
    log_dir: Path
    """Folder for logs; `log` in base_dir when it is not given."""
    daemon_dir: Path
    """Folder for what belongs to the running runner; `daemon` in base_dir when it is not given."""
    log_level: LogLevel = "info"
    """How much the runner logs: error, warn, info or debug."""
    runner: RunnerOptions = field(default_factory=RunnerOptions)
    """Periods and retries of the runner."""
    workers: Mapping[Name, WorkerConfig]
    """The places where jobs run; one named `local` on this machine when none is given."""
    max_jobs_per_host: Mapping[str, Annotated[int, Limits(ge=0)]] = field(default_factory=dict)
    """Jobs at the same time on a host, over all of its workers, besides the max_jobs of each: {cluster: 20}. A host
    is named as in the `host` of its workers, without user@; the workers of this machine are on `localhost`. 0 starts no
    new ones. Each job of a batch worker counts, from the spool on."""
    queue: QueueConfig
    """The queue of jobs; SQLite in base_dir when it is not given."""
    exec_config: Mapping[str, ExecutionConfig] = field(default_factory=dict)
    """Named environments for jobs."""
    jobstore: Mapping[str, Any] | None = None
    """Where outputs go: a jobflow job store; the database of the queue, with an additional store `data`, when it is
    not given. `JOB_STORE` is another name of this key."""
    optional_jobstores: Mapping[Name, Mapping[str, Any]] = field(default_factory=dict)
    """Further job stores, to be chosen per flow by name."""
    remote_jobstore: Mapping[str, Any] | None = None
    """Accepted for files of jobflow-remote with its default value only: results travel in a format of towline's own."""
    retry: Mapping[str, Any] | None = None
    """When jobs run again after a failure for which neither they nor their worker say it."""
    hooks: tuple[HookConfig, ...] = ()
    """What is done when something happens to a job or a flow; a failure of it is logged, and stops nobody."""
    metadata: Mapping[str, Any] | None = None
    """Anything you like."""
    # Set by towline.configuration.files alone, which is why it is no argument.
    source: Path | None = field(default=None, init=False, compare=False)
    """The file the project was read from; None for the built-in default project."""

    @property
    def queue_path(self) -> Path | None:
        """The SQLite file of the queue; None when the queue is on a server."""
        url = self.queue.store.url
        return Path(url.removeprefix(SQLITE_PREFIX)) if url.startswith(SQLITE_PREFIX) else None

    @property
    def queue_place(self) -> Path | str:
        """Where the queue is: an SQLite file, or a URL with its password.

        Raises
        ------
        ConfigurationError
            The password cannot be found.
        """
        return self.queue_path or str(resolve(self.queue.store.url, "queue.store.url"))

    def worker(self, name: str | None = None) -> tuple[str, WorkerConfig]:
        """Name and configuration of a worker; the first one when no name is given.

        Raises
        ------
        ConfigurationError
            The project has no worker, or none of that name.
        """
        if not self.workers:
            raise ConfigurationError(
                f"the project {self.name} has no workers; add one under `workers` in {self.source}"
            )
        if name is None:
            name = next(iter(self.workers))
        if name not in self.workers:
            known = ", ".join(self.workers)
            raise ConfigurationError(f"the project {self.name} has no worker {name!r}; it has {known}")
        return name, self.workers[name]

    def execution_config(self, name: str) -> ExecutionConfig:
        """The environment called `name`.

        Raises
        ------
        ConfigurationError
            The project has none of that name.
        """
        if name not in self.exec_config:
            known = ", ".join(self.exec_config) or "none"
            raise ConfigurationError(f"the project {self.name} has no exec_config {name!r}; it has: {known}")
        return self.exec_config[name]


def processor_count() -> int:
    """Number of processors this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
