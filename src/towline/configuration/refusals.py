"""What project files of jobflow-remote may contain and this version of towline cannot do.

Such a key is refused with its reason: it must not silently do nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

#: ``(keys from the outside in, what is wrong and what to write instead)``
Problem = tuple[tuple[str | int, ...], str]

_LATER = "is not available in this version (0.1) of towline"
_DEFAULT_REMOTE_JOBSTORE = {"store": "maggma_json", "zip": False}
_OUTDATED_QUEUE_KEYS = ("flows_collection", "auxiliary_collection", "batches_collection")


def refusals(document: Mapping[str, Any]) -> list[Problem]:
    """Everything in `document` that this version knows and cannot do."""
    return [
        *_worker_refusals(document.get("workers")),
        *_queue_refusals(document.get("queue")),
        *_store_refusals(document),
    ]


def _worker_refusals(workers: object) -> Iterator[Problem]:
    if not isinstance(workers, Mapping):
        return
    for name, worker in workers.items():
        if not isinstance(worker, Mapping):
            continue
        kind = worker.get("type")
        if kind in ("remote", "separated_transfer"):
            yield ("workers", name), f"type {kind!r} {_LATER}; only `type: local` is"
            continue
        scheduler = worker.get("scheduler_type")
        if isinstance(scheduler, Mapping) or scheduler in ("slurm", "pbs", "sge"):
            shown = "of your own" if isinstance(scheduler, Mapping) else repr(scheduler)
            yield ("workers", name, "scheduler_type"), f"a scheduler {shown} {_LATER}; only `scheduler_type: shell` is"
        if worker.get("batch") is not None:
            yield (
                ("workers", name, "batch"),
                f"a batch worker {_LATER}; remove the key: jobs of a local worker start in milliseconds without it",
            )
        if worker.get("execution_cmd") is not None:
            yield (
                ("workers", name, "execution_cmd"),
                f"a command around each job {_LATER}; remove the key, and put set-up lines into pre_run",
            )


def _queue_refusals(queue: object) -> Iterator[Problem]:
    if not isinstance(queue, Mapping):
        return
    for key in _OUTDATED_QUEUE_KEYS:
        if key in queue:
            yield ("queue", key), "a collection of MongoDB; towline needs no MongoDB: remove the key"
    store = queue.get("store")
    if not isinstance(store, Mapping):
        return
    url = store.get("url")
    if "type" in store or "@class" in store or "host" in store or str(url).startswith("mongodb"):
        yield (
            ("queue", "store"),
            "the queue of towline needs no MongoDB; remove `queue`, or write `queue: {store: {url: "
            "sqlite:////absolute/path/queue.db}}`",
        )


def _store_refusals(document: Mapping[str, Any]) -> Iterator[Problem]:
    remote = document.get("remote_jobstore")
    if remote is None or (
        isinstance(remote, Mapping) and {**_DEFAULT_REMOTE_JOBSTORE, **remote} == _DEFAULT_REMOTE_JOBSTORE
    ):
        return
    yield ("remote_jobstore",), f"another format of results {_LATER}; remove the key"
