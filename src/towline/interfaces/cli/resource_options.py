"""Options for resources in words that every scheduler understands."""

from dataclasses import dataclass
from typing import Annotated, Any

from towline.interfaces.cli.parameters import Option
from towline.operations.resources import resources_of_run


def _count(what: str, *names: str) -> Option:
    return Option(*names, help=what, metavar="N", min=1)


def _name(what: str, *names: str) -> Option:
    return Option(*names, help=what, metavar="NAME")


def _time(*names: str) -> Option:
    return Option(*names, help="Time limit: HH:MM:SS, D-HH:MM:SS or seconds.", metavar="TIME")


@dataclass
class ResourceOptions:
    """Resources of a job."""

    nodes: Annotated[int | None, _count("Number of nodes.", "--nodes")] = None
    ntasks: Annotated[int | None, _count("Number of processes.", "--ntasks")] = None
    ntasks_per_node: Annotated[int | None, _count("Processes on each node.", "--ntasks-per-node")] = None
    cpus_per_task: Annotated[int | None, _count("Threads of each process.", "--cpus-per-task")] = None
    gpus: Annotated[int | None, _count("GPUs of the job.", "--gpus")] = None
    time: Annotated[str | None, _time("--time")] = None
    mem: Annotated[
        str | None,
        Option("--mem", help="Memory on each node, such as 500M, 16G; plain numbers are GB.", metavar="SIZE"),
    ] = None
    account: Annotated[str | None, _name("What it is charged to.", "--account")] = None
    queue: Annotated[str | None, _name("Queue or partition.", "--queue", "--partition")] = None
    qos: Annotated[str | None, _name("Quality of service.", "--qos")] = None
    constraint: Annotated[str | None, _name("Features of the nodes (Slurm).", "--constraint")] = None

    def with_words(self, given: dict[str, Any]) -> dict[str, Any]:
        """Resources from these options, and from keys and values.

        Raises
        ------
        InvalidRequest
            One is given both ways with different values, or a size is none.
        """
        named = {
            "nodes": self.nodes,
            "processes": self.ntasks,
            "processes_per_node": self.ntasks_per_node,
            "threads_per_process": self.cpus_per_task,
            "gpus_per_job": self.gpus,
            "time_limit": self.time,
            "memory_gigabytes": self.mem,
            "account": self.account,
            "queue_name": self.queue,
            "qos": self.qos,
            "constraint": self.constraint,
        }
        return resources_of_run(named, given)


@dataclass
class ShortResourceOptions(ResourceOptions):
    """The same, also by the letters that Slurm has for them."""

    nodes: Annotated[int | None, _count("Number of nodes.", "--nodes", "-N")] = None
    ntasks: Annotated[int | None, _count("Number of processes.", "--ntasks", "-n")] = None
    cpus_per_task: Annotated[int | None, _count("Threads of each process.", "--cpus-per-task", "-c")] = None
    gpus: Annotated[int | None, _count("GPUs of the job.", "--gpus", "-G")] = None
    time: Annotated[str | None, _time("--time", "-t")] = None
    account: Annotated[str | None, _name("What it is charged to.", "--account", "-A")] = None
    qos: Annotated[str | None, _name("Quality of service.", "--qos", "-q")] = None
    constraint: Annotated[str | None, _name("Features of the nodes (Slurm).", "--constraint", "-C")] = None
