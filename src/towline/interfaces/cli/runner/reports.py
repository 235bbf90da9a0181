"""What the commands say about a runner."""

from dataclasses import asdict
from typing import Any

from towline.interfaces.cli.display import local_time
from towline.operations.runners import RunnerState, RunnerStatus


def status_document(status: RunnerStatus) -> dict[str, Any]:
    """A runner as JSON."""
    return {**asdict(status), "state": status.state.value, "active": status.active}


def describe(status: RunnerStatus) -> str:
    """A line about a runner, and what to type next."""
    who = f"runner {status.runner_id} (pid {status.pid} on {status.host})"
    if status.is_silent:
        return (
            f"{status.state.value}: {who} of the project {status.project} hangs, or is suspended: it was last heard of "
            f"{local_time(status.heartbeat_at)}. To go on without it: tow runner kill; tow runner start"
        )
    if status.state is RunnerState.RUNNING:
        return f"{status.state.value}: {who} runs the project {status.project} since {local_time(status.started_at)}"
    if status.state is RunnerState.STARTING:
        return (
            f"{status.state.value}: the runner of the project {status.project} is being started; if that goes on, its "
            f"log says why: {status.log_file}"
        )
    if status.state is RunnerState.STOPPING:
        return f"{status.state.value}: {who} was asked to stop"
    if status.state is RunnerState.LOST:
        return (
            f"{status.state.value}: {who} of the project {status.project} ended without a word, last heard of "
            f"{local_time(status.heartbeat_at)}. The next one takes its jobs over: tow runner start"
        )
    return f"{status.state.value}: no runner is active for the project {status.project}. To start one: tow runner start"
