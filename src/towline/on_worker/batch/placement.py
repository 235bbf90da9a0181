"""What a job is told of the nodes that it has: a file with a line for each process, and variables."""

from collections.abc import Sequence

from towline.on_worker.attempt_files import write_whole

#: In the run folder of a job over several nodes: the name of its node for each process, in their order.
HOST_FILE = "towline_hosts"

#: Names of the nodes with commas between them, and the file; on every scheduler.
HOSTS_VARIABLE, HOST_FILE_VARIABLE = "TOWLINE_HOSTS", "TOWLINE_HOST_FILE"
_PE_HOST_FILE = "towline_pe_hosts"


def place(
    run_dir: str, scheduler: str, hosts: Sequence[str], *, processes: int, threads: int, cores: int
) -> dict[str, str]:
    """Write the files for a job, and return its variables.

    Parameters
    ----------
    hosts
        Names of its nodes, as its scheduler knows them.
    processes, threads, cores
        Processes on all nodes together, processors of each process, and processors that it has on each node.
    """
    counts = spread(processes, len(hosts))
    lines = [name for name, count in zip(hosts, counts, strict=True) for _ in range(count)]
    path = f"{run_dir}/{HOST_FILE}"
    write_whole(path, "".join(f"{name}\n" for name in lines).encode())
    variables = {HOSTS_VARIABLE: ",".join(hosts), HOST_FILE_VARIABLE: path}
    if scheduler == "slurm":
        return variables | _slurm(hosts, counts, path, threads, cores)
    if scheduler == "pbs":
        return variables | {"PBS_NODEFILE": path}
    if scheduler == "sge":
        pe_hosts = "".join(f"{name} {cores} UNDEFINED UNDEFINED\n" for name in hosts)
        write_whole(f"{run_dir}/{_PE_HOST_FILE}", pe_hosts.encode())
        slots = {"NSLOTS": str(cores * len(hosts)), "NHOSTS": str(len(hosts))}
        return variables | {"PE_HOSTFILE": f"{run_dir}/{_PE_HOST_FILE}", **slots}
    return variables


def _slurm(hosts: Sequence[str], counts: Sequence[int], path: str, threads: int, cores: int) -> dict[str, str]:
    # What srun and the launchers of MPI take for the allocation: without these they would use all of its nodes. The
    # step of the pilots has the processors and the memory of the whole allocation, so that steps of jobs overlap it.
    nodes, processes, names = str(len(hosts)), str(sum(counts)), ",".join(hosts)
    return {
        "SLURM_HOSTFILE": path,
        "SLURM_DISTRIBUTION": "arbitrary",
        "SLURM_OVERLAP": "1",
        "SLURM_CPU_BIND": "none",
        "SLURM_MEM_PER_NODE": "0",
        "SLURM_NNODES": nodes,
        "SLURM_JOB_NUM_NODES": nodes,
        "SLURM_NODELIST": names,
        "SLURM_JOB_NODELIST": names,
        "SLURM_NTASKS": processes,
        "SLURM_NPROCS": processes,
        "SLURM_NTASKS_PER_NODE": str(max(counts)),
        "SLURM_TASKS_PER_NODE": _repeated(counts),
        "SLURM_CPUS_PER_TASK": str(threads),
        "SLURM_JOB_CPUS_PER_NODE": _repeated([cores] * len(hosts)),
    }


def spread(total: int, count: int) -> list[int]:
    """`total` in `count` parts that differ by one at most; the first ones have more."""
    return [total // count + (position < total % count) for position in range(count)]


def _repeated(counts: Sequence[int]) -> str:
    """In the form of Slurm: ``4(x2),3``."""
    parts: list[tuple[int, int]] = []
    for count in counts:
        if parts and parts[-1][0] == count:
            parts[-1] = (count, parts[-1][1] + 1)
        else:
            parts.append((count, 1))
    return ",".join(f"{count}(x{times})" if times > 1 else str(count) for count, times in parts)
