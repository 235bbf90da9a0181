"""Which class runs workers of which type and scheduler. Nothing is imported before it is needed."""

import importlib
from collections.abc import Callable, Mapping

from towline.core.ports import Worker
from towline.errors import ConfigurationError

_BUILT_IN: Mapping[tuple[str, str], str] = {("local", "shell"): "towline.workers.local:LocalWorker"}

#: Entry points of other distributions: ``type.scheduler_type = module:class``.
ENTRY_POINT_GROUP = "towline.workers"


def worker_class(worker_type: str, scheduler_type: str) -> Callable[..., Worker]:
    """The class of a worker.

    Raises
    ------
    ConfigurationError
        There is none, or it cannot be imported.
    """
    place = _BUILT_IN.get((worker_type, scheduler_type)) or _entry_point(f"{worker_type}.{scheduler_type}")
    if place is None:
        known = ", ".join(f"type {kind} with scheduler_type {scheduler}" for kind, scheduler in _BUILT_IN)
        raise ConfigurationError(
            f"there are no workers of type {worker_type!r} with scheduler_type {scheduler_type!r}; there are {known}"
        )
    module, _, name = place.partition(":")
    try:
        found: Callable[..., Worker] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"workers of type {worker_type!r} need {place}, which fails: {error}") from error
    return found


def _entry_point(name: str) -> str | None:
    # Looking through all installed distributions takes a while; only workers of other distributions pay for it.
    from importlib.metadata import entry_points

    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return entry_point.value
    return None
