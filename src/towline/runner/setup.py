"""What a runner works with; made by :mod:`towline.operations.compose` from the configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towline.core.ports import Batches, Couriers, Outputs, Worker
from towline.core.records import ShellSetup
from towline.core.retry_policy import Rule
from towline.runner.retries import RetryPolicy


@dataclass(frozen=True, slots=True)
class Place:
    """A worker, and what the configuration says about it."""

    worker: Worker
    #: Jobs at the same time; 0 starts no new ones.
    job_limit: int
    work_dir: Path
    #: Resources of jobs that name none.
    resources: Mapping[str, Any]
    #: Shell lines for a job with this exec_config (a name, a configuration, or None).
    #: Raises ConfigurationError for a name that does not exist.
    shell: Callable[[str | Mapping[str, Any] | None], ShellSetup]
    #: When jobs without a policy of their own run again after a failure; None leaves it to the project.
    retry: Mapping[str, Rule] | None = None
    #: The same worker, when its jobs run inside allocations.
    batches: Batches | None = None
    #: Where it is, for limits that several workers share.
    host: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything the configuration decides about a runner."""

    places: Mapping[str, Place]
    #: The job store of a name; None is the project's own.
    outputs_of: Callable[[str | None], Outputs]
    retries: RetryPolicy
    #: Text before the number in the ids of jobs.
    db_id_prefix: str
    #: When jobs run again for which neither they nor their worker say it.
    retry: Mapping[str, Rule] = field(default_factory=dict)
    #: What brings files from one worker to another; None where all workers have the same files.
    couriers: Couriers | None = None
    #: Jobs at the same time on a host, over all its workers; hosts without a limit are missing.
    host_limits: Mapping[str, int] = field(default_factory=dict)
