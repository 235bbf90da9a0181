"""Python jobs go to a worker only when the Python there can read them: found out before the first one."""

import time
from collections.abc import Sequence

from towline.core.records import ShellSetup
from towline.workers.environments.expectation import look, mismatch
from towline.workers.remote.flights import Flight
from towline.workers.remote.folders import Site
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.transports.transport import Transport

#: Somebody may mend it by hand; `tow worker deploy` makes another worker of it, which looks at once.
_LOOK_AGAIN_SECONDS = 30.0


class EnvironmentGate:
    """Looks once at each kind of shell lines that jobs come with."""

    def __init__(self, site: Site, transport: Transport) -> None:
        #: Why jobs have to wait, with what to do about it.
        self.problem: str | None = None
        self._site = site
        self._transport = transport
        self._fine: set[str] = set()
        self._wrong: dict[str, tuple[str, float]] = {}

    def held(self, flights: Sequence[Flight]) -> dict[str, tuple[str, float]]:
        """Which of these have to wait, by their key: why, and until when, in monotonic seconds.

        Raises
        ------
        WorkerError
            The worker cannot be asked.
        """
        if self._site.expected is None or self._site.execution_cmd is not None:
            return {}
        found: dict[str, tuple[str, float]] = {}
        for flight in flights:
            setup = None if flight.prepared is None else flight.prepared.python_setup
            if setup is not None and (wrong := self._judged(setup)) is not None:
                found[flight.key] = wrong
        return found

    def _judged(self, setup: ShellSetup) -> tuple[str, float] | None:
        key = repr(setup)
        if key in self._fine:
            return None
        if key not in self._wrong or self._wrong[key][1] <= time.monotonic():
            problem = self._look(setup)
            if problem is None:
                self._fine.add(key)
                self._wrong.pop(key, None)
            else:
                self._wrong[key] = (problem, time.monotonic() + _LOOK_AGAIN_SECONDS)
            self.problem = next((text for text, _ in self._wrong.values()), None)
        return self._wrong.get(key)

    def _look(self, setup: ShellSetup) -> str | None:
        expected = self._site.expected
        assert expected is not None  # asked before
        seen = look(self._transport, self._site.python, setup)
        if seen.facts is not None:
            wrong = mismatch(seen.facts, expected)
        elif seen.reached and isinstance(self._site.queue, ShellQueue):
            wrong = f"cannot run {self._site.python} ({seen.said})"
        else:
            # The lines of the job itself fail, which it tells itself; or they work on compute nodes only.
            return None
        name = self._site.worker
        return None if wrong is None else f"{name} {wrong}; type: tow worker deploy {name}"
