"""Portable resources in the words of Slurm and PBS, by qtoolkit. The only file that knows it."""

from dataclasses import asdict, replace
from typing import Any, Literal

from towline.core.resources import PortableResources
from towline.errors import InvalidRequest
from towline.workers.schedulers.shell import seconds


def scheduler_words(scheduler: Literal["slurm", "pbs"], resources: PortableResources) -> dict[str, Any]:
    """Keys and values of qtoolkit's template for the scheduler.

    Raises
    ------
    InvalidRequest
        The scheduler has no word for one of the resources, or they contradict each other.
    """
    # qtoolkit loads monty, which takes 0.16 s, and most calls have only words of the scheduler.
    if resources == PortableResources():
        return {}
    from qtoolkit.core.data_objects import ProcessPlacement, QResources
    from qtoolkit.core.exceptions import UnsupportedResourcesError
    from qtoolkit.io.pbs import PBSIO
    from qtoolkit.io.slurm import SlurmIO

    placed, extra = _placed(resources)
    fields = {key: value for key, value in asdict(placed).items() if value not in (None, {})}
    if "time_limit" in fields:
        fields["time_limit"] = round(seconds(fields["time_limit"]))
    # What asks for nothing must not become one process: qtoolkit wants a placement whenever anything is given.
    without_placement = "process_placement" not in fields
    fields["process_placement"] = ProcessPlacement(fields.get("process_placement", "NO_CONSTRAINTS"))
    try:
        words = (SlurmIO() if scheduler == "slurm" else PBSIO()).check_convert_qresources(QResources(**fields))
    except UnsupportedResourcesError as error:
        raise InvalidRequest(f"these resources cannot be asked of {scheduler}: {error}") from error
    if without_placement and not placed.threads_per_process and not placed.memory_per_thread:
        words = {key: value for key, value in words.items() if key not in ("ntasks", "select")}
    return {**words, **extra}


def _placed(resources: PortableResources) -> tuple[PortableResources, dict[str, Any]]:
    """With the placement that the numbers mean, where qtoolkit asks for one; and what it has no field for."""
    nodes, processes, per_node = resources.nodes, resources.processes, resources.processes_per_node
    if resources.process_placement is not None:
        return resources, {}
    if nodes and processes:
        if per_node and per_node * nodes != processes:
            raise InvalidRequest(
                f"the resources contradict each other: {nodes} nodes with {per_node} processes each are not "
                f"{processes} processes"
            )
        if processes % nodes:
            raise InvalidRequest(
                f"{processes} processes cannot be spread evenly over {nodes} nodes; "
                "give only processes, or the words of the scheduler (Slurm: nodes and ntasks)"
            )
        return _evenly(resources, nodes, processes // nodes), {}
    if processes and per_node:
        if processes % per_node:
            raise InvalidRequest(f"{processes} processes are no whole number of nodes with {per_node} processes each")
        return _evenly(resources, processes // per_node, per_node), {}
    if nodes or per_node:
        return _evenly(resources, nodes or 1, per_node or 1), {}
    if processes:
        return replace(resources, process_placement="NO_CONSTRAINTS"), {}
    return resources, {}


def _evenly(resources: PortableResources, nodes: int, per_node: int) -> PortableResources:
    return replace(
        resources, nodes=nodes, processes=None, processes_per_node=per_node, process_placement="EVENLY_DISTRIBUTED"
    )
