"""What an allocation consists of, as the environment of its script tells: its nodes, and what it has on each."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from towline.on_worker.attempt_files import host
from towline.on_worker.batch.room import Capacity
from towline.on_worker.batch.settings import BatchSettings

#: Variables that name the GPUs which a process may use; the first one that is there is split among the jobs.
GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")

#: ``4(x2),3``: two nodes with 4, one with 3.
_REPEATED = re.compile(r"(\d+)(?:\(x(\d+)\))?")


def cores_by_node(scheduler: str, environment: Mapping[str, str]) -> dict[str, int]:
    """Names of the nodes, in their order, with the processors that the allocation has on each."""
    if scheduler == "slurm" and "SLURM_JOB_CPUS_PER_NODE" in environment:
        cores = [
            int(match[1])
            for match in _REPEATED.finditer(environment["SLURM_JOB_CPUS_PER_NODE"])
            for _ in range(int(match[2] or 1))
        ]
        # The names are in a form that only Slurm expands; srun needs none of them.
        return {str(number): count for number, count in enumerate(cores)}
    if scheduler == "pbs" and (file := environment.get("PBS_NODEFILE")):
        return _counted(Path(file).read_text().split(), int(environment.get("NCPUS") or 1))
    if scheduler == "sge" and (file := environment.get("PE_HOSTFILE")):
        lines = [line.split() for line in Path(file).read_text().splitlines() if line.strip()]
        return {words[0]: int(words[1]) for words in lines}
    if scheduler == "sge" and environment.get("NSLOTS", "").isdigit():
        return {host(): int(environment["NSLOTS"])}
    return {host(): len(_processors())}


def capacity(cores: int, scheduler: str, environment: Mapping[str, str]) -> Capacity:
    """What the allocation has on this node.

    Parameters
    ----------
    cores
        How many processors, as the scheduler counts them.
    """
    processors = _processors()
    # Where the scheduler binds a process to what it gave, that can be given on; elsewhere it is only counted.
    bound = processors if len(processors) == cores else ()
    return Capacity(cores, _memory_megabytes(cores, scheduler, environment), gpus(environment), bound)


def gpus(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the GPUs of this node."""
    for variable in GPU_VARIABLES:
        if variable in environment:
            names = environment[variable].split(",")
            return tuple(name.strip() for name in names if name.strip() and name.strip() != "NoDevFiles")
    return ()


def gpu_variable(environment: Mapping[str, str]) -> str:
    """Name of the variable that names the GPUs."""
    return next((variable for variable in GPU_VARIABLES if variable in environment), GPU_VARIABLES[0])


def own_name(settings: BatchSettings, environment: Mapping[str, str]) -> str:
    """Name of this node, as its scheduler knows it."""
    if settings.scheduler == "slurm" or len(settings.names) <= settings.node:
        return environment.get("SLURMD_NODENAME") or host()
    return settings.names[settings.node]


def launcher(scheduler: str, nodes: Sequence[str], environment: Mapping[str, str]) -> list[list[str]]:
    """Commands that start a program on all nodes: one for all of them, or one for each. Its words are added."""
    if scheduler == "slurm":
        count = str(len(nodes))
        options = ["--ntasks-per-node=1", "--cpu-bind=none", "--mem=0", "--kill-on-bad-exit=0", "--wait=0", "--overlap"]
        cores = max(cores_by_node(scheduler, environment).values())
        return [["srun", f"--nodes={count}", f"--ntasks={count}", f"--cpus-per-task={cores}", "--input=none", *options]]
    if scheduler == "sge":
        # The parallel environment of a site says whether it is tight; then qrsh is the way that is accounted.
        return [["qrsh", "-inherit", "-nostdin", "-V", node] for node in nodes]
    if "PBS_JOBID" in environment and _is_program("pbs_tmrsh", environment):
        return [["pbs_tmrsh", node] for node in nodes]
    return [["ssh", "-o", "BatchMode=yes", node] for node in nodes]


def _is_program(name: str, environment: Mapping[str, str]) -> bool:
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    return any(os.access(Path(folder or ".", name), os.X_OK) for folder in folders)


def _counted(names: Sequence[str], fewest: int) -> dict[str, int]:
    # A line for each process or for each processor, as the site likes it.
    return {name: max(fewest, names.count(name)) for name in dict.fromkeys(names)}


def _processors() -> tuple[int, ...]:
    if sys.platform == "linux":
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _memory_megabytes(cores: int, scheduler: str, environment: Mapping[str, str]) -> int:
    if scheduler == "slurm":
        for variable, factor in (("SLURM_MEM_PER_NODE", 1), ("SLURM_MEM_PER_CPU", cores)):
            if environment.get(variable, "").isdigit() and environment[variable] != "0":
                return int(environment[variable]) * factor
        return 0
    return int(psutil.virtual_memory().total) >> 20 if scheduler == "shell" else 0
