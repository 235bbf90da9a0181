"""Hosts that several workers share, and the limits of these."""

from collections.abc import Iterator, Mapping
from typing import Any

from towline.configuration.model import Project, WorkerConfig
from towline.configuration.refusals import Problem
from towline.core.spelling import known_names

#: This machine, among hosts.
LOCALHOST = "localhost"


def host_of(worker: WorkerConfig) -> str:
    """Where a worker is, as `max_jobs_per_host` names it."""
    return LOCALHOST if worker.type == "local" else _without_user(worker.host or "")


def workers_on(project: Project, host: str) -> list[str]:
    """Names of the workers on a host."""
    return [name for name, worker in project.workers.items() if host_of(worker) == host]


def host_limit_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Hosts with a limit on which no worker is: a limit that nobody heeds is a mistake."""
    limits, workers = document.get("max_jobs_per_host"), document.get("workers")
    if not isinstance(limits, Mapping) or not isinstance(workers, Mapping):
        return
    known = list(dict.fromkeys(_written_host(worker) for worker in workers.values() if isinstance(worker, Mapping)))
    for host in limits:
        if host not in known:
            listed = known_names(str(host), known, "the hosts here are")
            yield ("max_jobs_per_host", str(host)), f"no worker is on a host of this name; {listed}"


def _written_host(worker: Mapping[str, Any]) -> str:
    return _without_user(str(worker.get("host") or "")) if worker.get("type") == "remote" else LOCALHOST


def _without_user(host: str) -> str:
    return host.rpartition("@")[2]
