"""Noticing the end of processes that are no children of this one."""

import os
import selectors
from collections.abc import Callable

from towline.on_worker.process_identity import is_running
from towline.on_worker.timers import Timers

#: Only where the system has no descriptors for processes.
_LOOK_SECONDS = 0.5


class Watch:
    """Calls back when a process is gone."""

    def __init__(self, selector: selectors.BaseSelector, timers: Timers) -> None:
        self._selector = selector
        self._timers = timers
        self._descriptors: set[int] = set()

    def add(self, pid: int, mark: str | None, gone: Callable[[], None]) -> None:
        """Call `gone` once, when the process is not there any more."""
        if not hasattr(os, "pidfd_open"):
            self._look(pid, mark, gone)
            return
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            self._timers.after(0, gone)
            return
        if not is_running(pid, mark):
            os.close(descriptor)
            self._timers.after(0, gone)
            return
        self._descriptors.add(descriptor)
        self._selector.register(descriptor, selectors.EVENT_READ, lambda: self._ended(descriptor, gone))

    def close(self) -> None:
        """Let go of the descriptors; for forked children too."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()

    def _ended(self, descriptor: int, gone: Callable[[], None]) -> None:
        self._selector.unregister(descriptor)
        self._descriptors.discard(descriptor)
        os.close(descriptor)
        gone()

    def _look(self, pid: int, mark: str | None, gone: Callable[[], None]) -> None:
        if is_running(pid, mark):
            self._timers.after(_LOOK_SECONDS, lambda: self._look(pid, mark, gone))
        else:
            self._timers.after(0, gone)
