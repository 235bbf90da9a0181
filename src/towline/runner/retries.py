"""When a failed action of the runner is tried again, and when the runner gives up."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after which waits an action of the runner is repeated."""

    #: Failed tries after which a further failure is a REMOTE_ERROR.
    max_step_attempts: int = 3
    #: Seconds to wait before each further try; the last one repeats.
    delta_retry_seconds: Sequence[float] = (30, 300, 1200)

    def next_try(self, failed_tries: int, now: float) -> float | None:
        """When to try again after `failed_tries` failures, in seconds since the epoch; None to give up."""
        if failed_tries > self.max_step_attempts:
            return None
        return now + self.delta_retry_seconds[min(failed_tries, len(self.delta_retry_seconds)) - 1]
