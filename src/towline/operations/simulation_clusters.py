"""``EXECUTION_BACKEND=hpc``: the ``HPC_*`` keys as a Slurm worker over SSH, and as resources of a run."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from towline.configuration.choice import load_project
from towline.configuration.defaults import DEFAULT_WORKER
from towline.configuration.files import change_project, write_document
from towline.configuration.model import Project
from towline.configuration.projects import new_project_path
from towline.errors import ConfigurationError
from towline.settings import load_settings
from towline.simulations.application import Case
from towline.simulations.config_env import ConfigEnv
from towline.simulations.moose.launching import Launch

#: Name of the worker in the project.
WORKER = "hpc"


def ensure_worker(config: ConfigEnv, project: Project) -> Project:
    """The project with a worker for the cluster of the configuration; its file is changed for that where needed.

    A worker of that name that is there keeps what the configuration says nothing about, as a gateway or a key.

    Raises
    ------
    ConfigurationError
        The folder on the cluster is no absolute path, or the project file cannot be changed.
    """
    wanted = worker_document(config)
    present = project.workers.get(WORKER)
    if present is not None and all(str(getattr(present, key)) == str(value) for key, value in wanted.items()):
        return project
    if project.source is None:
        path = new_project_path(project.name, "yaml", load_settings())
        write_document(path, {"name": project.name, "workers": {DEFAULT_WORKER: {}, WORKER: wanted}})
    else:

        def add(document: dict[str, Any]) -> None:
            workers = document.setdefault("workers", {DEFAULT_WORKER: {}})
            workers.setdefault(WORKER, {}).update(wanted)

        change_project(project.source, add)
    return load_project(project.name)


def worker_document(config: ConfigEnv) -> dict[str, Any]:
    """The worker that the configuration describes, as it stands in a project file.

    Raises
    ------
    ConfigurationError
        The folder on the cluster is no absolute path.
    """
    scratch = config.get("HPC_SCRATCH")
    if not PurePosixPath(scratch).is_absolute():
        raise ConfigurationError(
            f"HPC_SCRATCH is {scratch!r} ({config.origin('HPC_SCRATCH')}); give the whole path, from / on"
        )
    document = {"type": "remote", "scheduler_type": "slurm", "work_dir": scratch}
    alias = config.get("HPC_SSH_ALIAS")
    if alias:
        return document | {"host": alias}
    return document | {"host": config.get("HPC_HOST"), "user": config.get("HPC_USER")}


def cluster_ranks(config: ConfigEnv, case: Case) -> int:
    """Ranks of a run: those of the case where it names several, else ``HPC_NTASKS``."""
    stated = int(case.number("mpi")) if "mpi" in case.values else 1
    return stated if stated > 1 else config.number("HPC_NTASKS")


def cluster_resources(config: ConfigEnv, ranks: int) -> dict[str, Any]:
    """What a run asks Slurm for."""
    asked: dict[str, Any] = {
        "nodes": config.number("HPC_NODES"),
        "time_limit": config.walltime_seconds(),
    }
    for key, resource in (("HPC_ACCOUNT", "account"), ("HPC_QOS", "qos")):
        if config.get(key):
            asked[resource] = config.get(key)
    # The number of ranks in all; how many of them a node takes is left to Slurm.
    words: dict[str, Any] = {"ntasks": ranks}
    if config.get("HPC_CONSTRAINT"):
        words["constraint"] = config.get("HPC_CONSTRAINT")
    return asked | {"scheduler_kwargs": words}


def cluster_setup(config: ConfigEnv) -> Mapping[str, Any] | None:
    """Shell lines before the program."""
    setup = config.get("HPC_PYTHON_SETUP")
    return {"pre_run": setup} if setup else None


def cluster_launch(config: ConfigEnv, ranks: int) -> Launch:
    """What runs an input on the cluster."""
    application = config.get("HPC_MOOSE_APP")
    command = ("srun", "-n", str(ranks), application) if ranks > 1 else (application,)
    where = config.get("HPC_SSH_ALIAS") or config.get("HPC_HOST")
    name = PurePosixPath(application).name
    return Launch(f"{name} on {where}", command, remote_application=application)
