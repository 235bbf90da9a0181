"""How many jobs a worker holds ready beyond those that run, so that a free slot never waits for the runner."""

import math

#: Work to hold ready, in seconds: several times what the runner takes to hand over the next jobs.
READY_SECONDS = 0.05

#: Never more than this, whatever the jobs take.
LARGEST_PREFETCH = 512

#: Share of the newest duration in the running average.
_NEWEST_SHARE = 0.2


class Prefetch:
    """Learns how long the jobs of a worker take.

    Jobs of minutes are not held ready at all: the user may still pause them or move them elsewhere.
    """

    def __init__(self) -> None:
        self._average_seconds: float | None = None

    def learn(self, duration_seconds: float) -> None:
        """A job took this long."""
        duration_seconds = max(duration_seconds, 1e-5)
        if self._average_seconds is None:
            self._average_seconds = duration_seconds
        else:
            self._average_seconds += _NEWEST_SHARE * (duration_seconds - self._average_seconds)

    def jobs(self, slots: int) -> int:
        """How many jobs to hold ready for `slots` slots."""
        if self._average_seconds is None or slots == 0:
            return 0
        if self._average_seconds > READY_SECONDS:
            return 0
        return min(LARGEST_PREFETCH, math.ceil(slots * READY_SECONDS / self._average_seconds))
