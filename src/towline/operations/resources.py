"""Resources that users give by hand."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from towline.core.resources import PortableResources, split_resources
from towline.core.spelling import known_names
from towline.errors import InvalidRequest
from towline.workers.schedulers.shell import seconds

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(?:i?[bB])?\Z")


def scheduler_neutral(resources: Mapping[str, Any]) -> Mapping[str, Any]:
    """`resources`, after a check that each of them is one that every scheduler understands.

    Raises
    ------
    InvalidRequest
        A name is none of qtoolkit's `QResources`, or a value is not possible.
    """
    known = [item.name for item in fields(PortableResources)]
    for name in resources:
        if name not in known:
            raise InvalidRequest(f"{name!r} is none of the QResources; {known_names(name, known, 'they are')}")
    split_resources(resources)
    return resources


def resources_of_run(named: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Resources of a job from options of their own and from keys and values; those that are None are left out.

    Raises
    ------
    InvalidRequest
        One is given both ways with different values, or a size or time is none.
    """
    found = {name: value for name, value in named.items() if value is not None}
    if isinstance(found.get("memory_gigabytes"), str):
        found["memory_gigabytes"] = gigabytes(found["memory_gigabytes"])
    if isinstance(found.get("time_limit"), str) and found["time_limit"].isdigit():
        found["time_limit"] = int(found["time_limit"])
    if "time_limit" in found:
        seconds(found["time_limit"])
    for name, value in given.items():
        if name in found and found[name] != value:
            raise InvalidRequest(
                f"the resource {name} is given twice, as {found[name]!r} and as {value!r}; give it once"
            )
        found[name] = value
    return found


#: Words of schedulers that say what a portable resource says, and would win against it.
_SAME = {
    "nodes": ("select",),
    "processes": ("ntasks", "select"),
    "processes_per_node": ("ntasks_per_node", "select"),
    "threads_per_process": ("cpus_per_task", "select"),
    "gpus_per_job": ("gpus", "gpus_per_node", "gres"),
    "time_limit": ("time", "walltime", "h_rt"),
    "memory_gigabytes": ("mem", "mem_per_cpu", "memory_per_thread"),
    "queue_name": ("partition", "queue"),
}


def on_top_of(worker: Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The resources of a worker with those that were given in their place, whatever words either of them is in."""
    replaced = {word for name in given for word in _SAME.get(name, ())}
    replaced |= {name for name, words in _SAME.items() if any(word in given for word in words)}
    return {**{name: value for name, value in (worker or {}).items() if name not in replaced}, **given}


def gigabytes(text: str) -> float:
    """A size such as ``500M``, ``16G`` or ``1.5TB`` in gigabytes of 1024³ bytes; a plain number is one of gigabytes.

    Raises
    ------
    InvalidRequest
        It is none.
    """
    match = _SIZE.match(text.strip())
    if match is None:
        raise InvalidRequest(f"{text!r} is no size of memory; write 500M, 16G or 1.5T")
    return float(match[1]) * {"K": 1 / 1024**2, "M": 1 / 1024, "G": 1.0, "T": 1024.0}[match[2].upper() or "G"]
