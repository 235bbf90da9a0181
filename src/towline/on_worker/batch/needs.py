"""What jobs ask for in portable words, as pilots count it."""

import math
from collections.abc import Mapping
from typing import Any

from towline.on_worker.batch.placement import spread
from towline.on_worker.batch.spool import Need


def need_of(resources: Mapping[str, Any], *, memory_gigabytes: float | None, time_limit: float | None) -> Need:
    """What a job with these portable resources takes of its node, or of each of its nodes."""
    nodes = nodes_of(resources)
    cores = max(spread(processes_of(resources), nodes)) * threads_of(resources)
    memory = math.ceil((memory_gigabytes or 0) * 1024) or int(resources.get("memory_per_thread") or 0) * cores
    gpus = math.ceil(int(resources.get("gpus_per_job") or 0) / nodes)
    return Need(cores, memory, gpus, math.ceil(time_limit or 0), nodes)


def nodes_of(resources: Mapping[str, Any]) -> int:
    """On how many nodes a job runs."""
    return int(resources.get("nodes") or 1)


def processes_of(resources: Mapping[str, Any]) -> int:
    """How many processes a job has, on all its nodes together."""
    nodes = nodes_of(resources)
    return int(resources.get("processes") or int(resources.get("processes_per_node") or 1) * nodes)


def threads_of(resources: Mapping[str, Any]) -> int:
    """How many processors each of its processes has."""
    return int(resources.get("threads_per_process") or 1)
