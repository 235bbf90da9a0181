"""What project files of jobflow-remote may contain and this version of towline cannot do.

Such a key is refused with its reason: it must not silently do nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

#: ``(keys from the outside in, what is wrong and what to write instead)``
Problem = tuple[tuple[str | int, ...], str]

_LATER = "is not available in this version (0.1) of towline"
_DEFAULT_REMOTE_JOBSTORE = {"store": "maggma_json", "zip": False}
_OF_PARAMIKO = ("connect_kwargs", "inline_ssh_env")
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
        if worker.get("type") == "separated_transfer":
            reason = "files travel over the connection of the jobs; write `type: remote`, and leave `transfer` out"
            yield ("workers", name), f"type 'separated_transfer' {_LATER}: {reason}"
            continue
        if isinstance(worker.get("scheduler_type"), Mapping):
            reason = "install the class as an entry point (see docs/extend/new-scheduler.md), and write its name"
            yield ("workers", name, "scheduler_type"), f"a serialized scheduler {_LATER}; {reason}"
        if str(worker.get("execution_cmd") or "").startswith("jf "):
            yield (
                ("workers", name, "execution_cmd"),
                "this command is jobflow-remote's; remove the key, and name the interpreter of the jobs with `python`",
            )
        for key in _OF_PARAMIKO:
            if worker.get(key) is not None:
                reason = "towline uses the ssh of this machine; put such settings into ~/.ssh/config"
                yield ("workers", name, key), reason


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
