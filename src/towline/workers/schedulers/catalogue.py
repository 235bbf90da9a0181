"""Which scheduler a `scheduler_type` means. Nothing is imported before it is needed."""

import importlib

from towline.errors import ConfigurationError
from towline.workers.schedulers.scheduler import Scheduler

_BUILT_IN = {
    "slurm": "towline.workers.schedulers.slurm:Slurm",
    "pbs": "towline.workers.schedulers.pbs:Pbs",
    "sge": "towline.workers.schedulers.sge:GridEngine",
}

#: Entry points of other distributions: ``scheduler_type = module:class``.
ENTRY_POINT_GROUP = "towline.schedulers"


def scheduler(scheduler_type: str) -> Scheduler:
    """The batch scheduler of that name.

    Raises
    ------
    ConfigurationError
        There is none, or it cannot be imported.
    """
    place = _BUILT_IN.get(scheduler_type) or _entry_point(scheduler_type)
    if place is None:
        known = ", ".join(("shell", *_BUILT_IN))
        raise ConfigurationError(f"there is no scheduler_type {scheduler_type!r}; there are {known}")
    module, _, name = place.partition(":")
    try:
        found: Scheduler = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the scheduler_type {scheduler_type!r} needs {place}, which fails: {error}"
        ) from error
    return found


def _entry_point(name: str) -> str | None:
    from importlib.metadata import entry_points

    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return entry_point.value
    return None
