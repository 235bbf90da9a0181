"""Things to do later, for a process with an event loop."""

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Timer:
    """Something to do at a certain time, unless it is cancelled before."""

    #: Seconds of the monotonic clock.
    due: float
    number: int
    action: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        """Do not do it."""
        self.action = None


class Timers:
    """All timers of one event loop."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._numbers = itertools.count()

    def after(self, delay_seconds: float, action: Callable[[], None]) -> Timer:
        """Call `action` once, when the time has passed."""
        timer = Timer(time.monotonic() + max(0.0, delay_seconds), next(self._numbers), action)
        heapq.heappush(self._heap, timer)
        return timer

    def timeout_seconds(self) -> float | None:
        """How long the loop may sleep; None for as long as it likes."""
        while self._heap and self._heap[0].action is None:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0].due - time.monotonic()) if self._heap else None

    def fire(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        while self._heap and self._heap[0].due <= now:
            action = heapq.heappop(self._heap).action
            if action is not None:
                action()
