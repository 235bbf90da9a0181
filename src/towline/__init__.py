"""towline: scientific work on any machine, from one durable queue.

The names below are loaded when first used, so that ``import towline`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from towline.jobflow.command import command
    from towline.operations.compose import ConfigManager, JobController, Runner, get_jobstore
    from towline.operations.submission import submit_flow
    from towline.operations.waiting import wait_flow

__version__ = "0.1.0"

_HOME_OF = {}

__all__ = sorted([*_HOME_OF, "__version__"])


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'towline' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
