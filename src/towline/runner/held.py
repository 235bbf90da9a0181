"""What the runner remembers of the attempts it holds. All of it can be read again from the database."""

from dataclasses import dataclass, field

from towline.core.ports import Step
from towline.core.records import Assignment
from towline.runner.setup import Setup
from towline.store.jobs import QueuedJob


@dataclass(slots=True)
class Held:
    """An attempt that is with a worker."""

    job: QueuedJob
    #: None while it could not be built (the job store did not answer).
    assignment: Assignment | None
    #: Failed tries of the present step.
    failed_tries: int = 0


@dataclass(slots=True)
class Attempts:
    """The attempts a runner holds, and the steps that are due again later."""

    by_key: dict[str, Held] = field(default_factory=dict)
    #: ``(due, key, step)``; due in seconds since the epoch.
    retries: list[tuple[float, str, Step]] = field(default_factory=list)

    def take_due(self, now: float) -> list[tuple[str, Step]]:
        """Take the steps that are due at `now` off the list."""
        due = [(key, step) for at, key, step in self.retries if at <= now and key in self.by_key]
        self.retries = [retry for retry in self.retries if retry[0] > now]
        return due

    def follow(self, before: Setup, after: Setup) -> None:
        """The configuration has changed: what a worker had that was replaced, the new one finds out about."""
        for name, place in after.places.items():
            old = before.places.get(name)
            if old is not None and old.worker is not place.worker:
                held = [item.assignment for item in self.by_key.values() if item.job.worker == name]
                place.worker.adopt([assignment for assignment in held if assignment is not None])

    def next_due(self) -> float | None:
        """When the next step is due."""
        return min((at for at, _, _ in self.retries), default=None)
