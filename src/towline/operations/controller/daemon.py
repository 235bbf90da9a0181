"""The runner in the background, for scripts; methods and parameters are named as in jobflow-remote."""

from collections.abc import Callable
from typing import Any, Self

from towline.configuration.choice import load_project
from towline.configuration.model import Project
from towline.errors import RunnerError, TowlineError
from towline.operations import runners
from towline.operations.runners import RunnerState, RunnerStatus

#: States of the runner, under the name that jobflow-remote has for them.
DaemonStatus = RunnerState


class DaemonManager:
    """Starts, stops and looks at the runner of a project.

    A request that is refused, such as starting a second runner, gives False, or raises with `raise_on_error`.
    """

    def __init__(self, project: Project) -> None:
        self.project = project

    @classmethod
    def from_project_name(cls, project_name: str | None = None) -> Self:
        """That of the project with this name, or of the chosen or only one."""
        return cls(load_project(project_name))

    @classmethod
    def from_project(cls, project: Project) -> Self:
        """That of a project whose configuration is at hand."""
        return cls(project)

    def start(
        self,
        num_procs_transfer: int = 1,
        num_procs_complete: int = 1,
        single: bool = True,
        log_level: str = "info",
        raise_on_error: bool = False,
        connect_interactive: bool = False,
    ) -> bool:
        """Start the runner, and wait until it has the lease. One process does all, whatever the numbers are."""
        return _done(lambda: runners.start(self.project.name, log_level), raise_on_error)

    def stop(self, wait: bool = False, raise_on_error: bool = False) -> bool:
        """Ask the runner to stop, on whatever machine it is; jobs go on running."""
        return _done(lambda: runners.stop(self.project.name, None if wait else 0), raise_on_error)

    def shut_down(self, raise_on_error: bool = False, wait: bool = False) -> bool:
        """The same as :meth:`stop`: the supervisor ends with its runner."""
        return self.stop(wait=wait, raise_on_error=raise_on_error)

    def kill(self, raise_on_error: bool = False, wait: bool = False) -> bool:
        """End the runner at once, on whatever machine it is; jobs go on running."""
        return _done(lambda: runners.kill(self.project.name), raise_on_error)

    def restart(self, raise_on_error: bool = False) -> bool:
        """Stop the runner if there is one, wait for its end, and start it with the same options."""
        return _done(lambda: runners.restart(self.project.name, None), raise_on_error)

    def check_status(self, raise_on_shutdown: bool = True) -> RunnerState:
        """What can be said about the runner.

        Raises
        ------
        RunnerError
            There is none, and `raise_on_shutdown`.
        """
        state = runners.status(self.project.name).state
        if raise_on_shutdown and state is RunnerState.SHUT_DOWN:
            raise RunnerError(f"no runner is active for the project {self.project.name}; tow runner start starts one")
        return state

    def get_processes_info(self) -> dict[str, dict[str, Any]] | None:
        """The process of the runner, by name, with its pid and state; None when there is none."""
        found: RunnerStatus = runners.status(self.project.name)
        if found.pid is None:
            return None
        facts = {"pid": found.pid, "statename": found.state.value, "host": found.host, "start": found.started_at}
        return {"runner": {"name": "runner", "group": "runner", **facts}}

    def wait_start(self, timeout: int = 30) -> None:
        """Return when the runner runs: :meth:`start` has waited for that already.

        Raises
        ------
        RunnerError
            It does not run.
        """
        state = self.check_status(raise_on_shutdown=True)
        if state is not RunnerState.RUNNING:
            raise RunnerError(f"the runner of the project {self.project.name} is {state.value}; tow runner status")


def _done(action: Callable[[], object], raise_on_error: bool) -> bool:
    try:
        action()
    except TowlineError:
        if raise_on_error:
            raise
        return False
    return True
