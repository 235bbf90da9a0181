"""What is wrong with the description of a worker, beyond the types of its values."""

from collections.abc import Iterator, Mapping
from typing import Any

from towline.core.spelling import known_names

_SCHEDULERS = ("shell", "slurm", "pbs", "sge")

#: Keys that only have a meaning for a host behind SSH.
_OF_A_HOST = ("host", "user", "port", "key_filename", "gateway", "forward_agent", "connect_timeout", "ssh_config")

_SECRETS = ("password", "passphrase")

WorkerProblem = tuple[tuple[str, ...], str]


def remote_problems(worker: Mapping[str, Any]) -> Iterator[WorkerProblem]:
    """What is wrong with a worker of type `remote`."""
    if not worker.get("host"):
        yield ("host",), "is missing; give a name of ~/.ssh/config, a host name or an address"
    work_dir = worker.get("work_dir")
    if not isinstance(work_dir, str) or not work_dir.startswith("/") or work_dir == "/":
        yield (
            ("work_dir",),
            f"is {work_dir!r}; give the absolute path of a folder on the worker, for example on its scratch",
        )
    if worker.get("execution", "warm") == "pooled":
        yield ("execution",), "`pooled` is possible on this machine only; leave it out"
    for key in _SECRETS:
        if key in worker:
            remedy = "use a key with an agent, or type `tow worker login` when the host asks"
            yield (key,), f"secrets do not belong into a file; {remedy}"
    yield from _common_problems(worker)


def local_problems(worker: Mapping[str, Any]) -> Iterator[WorkerProblem]:
    """What is wrong with a worker on this machine."""
    for key in _OF_A_HOST:
        if worker.get(key) is not None:
            yield (key,), "has a meaning for workers of `type: remote` only; set that, or leave it out"
    yield from _common_problems(worker)


def _common_problems(worker: Mapping[str, Any]) -> Iterator[WorkerProblem]:
    scheduler = worker.get("scheduler_type", "shell")
    if isinstance(scheduler, str) and scheduler not in _SCHEDULERS:
        # Every command reads the configuration, and hardly one has a scheduler that a plugin brings.
        from importlib.metadata import entry_points

        others = [entry.name for entry in entry_points(group="towline.schedulers")]
        if scheduler not in others:
            known = [*_SCHEDULERS, *others]
            listed = known_names(scheduler, known, "it should be one of")
            yield ("scheduler_type",), f"{scheduler!r} is not possible: {listed}"
    yield from _batch_problems(worker)
    command = worker.get("execution_cmd")
    if isinstance(command, str) and "{}" not in command:
        yield ("execution_cmd",), "has no {}, which stands for the run folder of the job"


def _batch_problems(worker: Mapping[str, Any]) -> Iterator[WorkerProblem]:
    batch = worker.get("batch")
    if not isinstance(batch, Mapping):
        return
    if worker.get("max_jobs") is None:
        yield ("max_jobs",), "is missing; a batch worker needs it: the number of allocations at the same time"
    if worker.get("execution", "warm") == "pooled":
        yield ("execution",), "`pooled` is not possible on a batch worker; leave it out"
    folders = {key: batch.get(key) for key in ("jobs_handle_dir", "work_dir")}
    for key, folder in folders.items():
        if folder is not None and not (isinstance(folder, str) and folder.startswith("/") and folder != "/"):
            yield ("batch", key), f"is {folder!r}; give the absolute path of a folder on the worker, or leave it out"
    if folders["work_dir"] is not None and folders["jobs_handle_dir"] == folders["work_dir"]:
        yield ("batch", "work_dir"), "is the same folder as jobs_handle_dir; give one of its own, or leave it out"
    wait, longest = batch.get("max_wait", 60), batch.get("max_time")
    if isinstance(wait, int | float) and isinstance(longest, int | float) and wait > longest:
        yield ("batch", "max_wait"), f"is {wait:g}, longer than max_time ({longest:g}); give a shorter one"
