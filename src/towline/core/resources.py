"""Resources in words that every scheduler understands: the fields of qtoolkit's `QResources`, and memory per node."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from towline.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class PortableResources:
    """What a job asks for, whatever the scheduler. None and empty values ask for nothing."""

    queue_name: str | None = None
    job_name: str | None = None
    #: In MB.
    memory_per_thread: int | None = None
    #: On each node, in gigabytes of 1024³ bytes.
    memory_gigabytes: float | None = None
    nodes: int | None = None
    processes: int | None = None
    processes_per_node: int | None = None
    threads_per_process: int | None = None
    gpus_per_job: int | None = None
    #: Seconds, ``HH:MM:SS`` or ``D-HH:MM:SS``.
    time_limit: Any = None
    account: str | None = None
    qos: str | None = None
    priority: int | str | None = None
    #: Files for standard output and error, relative to the run folder.
    output_filepath: str | None = None
    error_filepath: str | None = None
    #: NO_CONSTRAINTS, SCATTERED, SAME_NODE or EVENLY_DISTRIBUTED.
    process_placement: str | None = None
    email_address: str | None = None
    rerunnable: bool | None = None
    project: str | None = None
    #: Tasks of an array.
    njobs: int | None = None
    #: Words of the scheduler.
    scheduler_kwargs: Mapping[str, Any] = field(default_factory=dict)


#: Names that also are words of schedulers, where they mean the same.
SHARED_NAMES = frozenset({"job_name", "account", "qos", "priority", "nodes"})

#: Names that only portable resources have.
PORTABLE_NAMES = frozenset(PortableResources.__dataclass_fields__) - SHARED_NAMES

_PLACEMENT = ("processes", "processes_per_node", "threads_per_process", "process_placement", "memory_per_thread")
_COUNTS = (
    "memory_per_thread",
    "nodes",
    "processes",
    "processes_per_node",
    "threads_per_process",
    "gpus_per_job",
    "njobs",
)


def whole_megabytes(memory_gigabytes: float) -> int:
    """Megabytes of 1024² bytes, rounded up."""
    return math.ceil(memory_gigabytes * 1024)


def split_resources(resources: Mapping[str, Any]) -> tuple[PortableResources, dict[str, Any]]:
    """What a job asks for in portable words, and what it asks for in words of a scheduler.

    Raises
    ------
    InvalidRequest
        A count is no positive number.
    """
    given = {name: value for name, value in resources.items() if value not in (None, "", {}) and name[:1] != "@"}
    # `nodes` alone is a word of the scheduler; beside processes it is part of their placement.
    portable_names = PORTABLE_NAMES | ({"nodes"} if any(name in given for name in _PLACEMENT) else set())
    portable = {name: value for name, value in given.items() if name in portable_names}
    words = {name: value for name, value in given.items() if name not in portable_names}
    own = portable.pop("scheduler_kwargs", {})
    if not isinstance(own, Mapping):
        raise InvalidRequest(f"the resource scheduler_kwargs is {own!r}; it should be a mapping")
    for name in _COUNTS:
        if name in portable:
            portable[name] = _count(name, portable[name])
    memory = portable.get("memory_gigabytes")
    if memory is not None and (isinstance(memory, bool) or not isinstance(memory, int | float) or not 0 < memory < 1e6):
        raise InvalidRequest(f"the resource memory_gigabytes is {memory!r}; give a number of gigabytes above 0")
    if memory is not None and "memory_per_thread" in portable:
        raise InvalidRequest("the resources memory_gigabytes and memory_per_thread contradict each other; give one")
    placement = portable.get("process_placement")
    if placement is not None:
        portable["process_placement"] = _placement(placement)
    return PortableResources(**portable), {**words, **own}


def _count(name: str, value: object) -> int:
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise InvalidRequest(f"the resource {name} is {value!r}; it should be a positive whole number")
    return value


def _placement(value: Any) -> str:
    # A member of qtoolkit's enumeration, one as JSON, or its name.
    if isinstance(value, Mapping):
        value = value.get("value")
    name = str(getattr(value, "value", value)).upper()
    if name not in ("NO_CONSTRAINTS", "SCATTERED", "SAME_NODE", "EVENLY_DISTRIBUTED"):
        raise InvalidRequest(
            f"the resource process_placement is {value!r}; "
            "it should be NO_CONSTRAINTS, SCATTERED, SAME_NODE or EVENLY_DISTRIBUTED"
        )
    return name
