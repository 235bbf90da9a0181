"""What the pilots of an allocation are started with."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """The payload of an allocation."""

    #: Of the allocation; the name of its folder.
    uid: str
    #: Folder of the spool.
    spool: str
    #: Folder of the allocation.
    run_dir: str
    #: `shell`, `slurm`, `pbs`, `sge`.
    scheduler: str
    #: Modules that jobs need, imported once.
    preload: tuple[str, ...] = ()
    #: Jobs at the same time on all nodes; None is one for each processor.
    parallel_jobs: int | None = None
    #: End after so many jobs.
    max_jobs: int | None = None
    #: Begin no job after this time, in seconds.
    max_time: float | None = None
    #: End after this time without anything to do, in seconds.
    max_wait: float = 60.0
    #: The longest pause between two looks into the spool, in seconds.
    sleep_time: float = 1.0
    #: Between SIGTERM and SIGKILL, when a job has to end.
    grace_seconds: float = 10.0
    #: What the scheduler was asked for, in seconds; None when that is not known.
    time_limit: float | None = None
    #: When the allocation began and will be ended, in seconds since the epoch.
    began_at: float = 0.0
    ends_at: float | None = None
    #: This node, and what all nodes have.
    node: int = 0
    cores: tuple[int, ...] = (1,)
    #: Names of the nodes; on Slurm their numbers.
    names: tuple[str, ...] = ()

    @classmethod
    def read(cls, content: dict[str, Any]) -> "BatchSettings":
        """From JSON; what is not known is left out."""
        names = {item.name for item in fields(cls)}
        known: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in content.items()
        }
        return cls(**{key: value for key, value in known.items() if key in names})

    def as_json(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
