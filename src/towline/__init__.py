"""towline: scientific work on any machine, from one durable queue.

The names below are loaded when first used, so that ``import towline`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from towline.configuration.projects import ConfigManager
    from towline.core.states import FlowState, JobState
    from towline.jobflow.command import command, worker_file
    from towline.jobflow.current import CURRENT_JOBDOC
    from towline.jobflow.holds import hold
    from towline.jobflow.run_config import set_run_config
    from towline.operations.controller import JobController
    from towline.operations.controller.daemon import DaemonManager, DaemonStatus
    from towline.operations.controller.runner import Runner
    from towline.operations.events import events
    from towline.operations.job_stores import get_jobstore
    from towline.operations.simulations import simulate
    from towline.operations.submission import submit_flow
    from towline.operations.waiting import wait_flow

__version__ = "0.1.0"

_HOME_OF = {
    "CURRENT_JOBDOC": "towline.jobflow.current",
    "ConfigManager": "towline.configuration.projects",
    "DaemonManager": "towline.operations.controller.daemon",
    "DaemonStatus": "towline.operations.controller.daemon",
    "FlowState": "towline.core.states",
    "JobController": "towline.operations.controller",
    "JobState": "towline.core.states",
    "Runner": "towline.operations.controller.runner",
    "command": "towline.jobflow.command",
    "events": "towline.operations.events",
    "get_jobstore": "towline.operations.job_stores",
    "hold": "towline.jobflow.holds",
    "set_run_config": "towline.jobflow.run_config",
    "simulate": "towline.operations.simulations",
    "submit_flow": "towline.operations.submission",
    "wait_flow": "towline.operations.waiting",
    "worker_file": "towline.jobflow.command",
}

__all__ = [
    "CURRENT_JOBDOC",
    "ConfigManager",
    "DaemonManager",
    "DaemonStatus",
    "FlowState",
    "JobController",
    "JobState",
    "Runner",
    "__version__",
    "command",
    "events",
    "get_jobstore",
    "hold",
    "set_run_config",
    "simulate",
    "submit_flow",
    "wait_flow",
    "worker_file",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'towline' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
