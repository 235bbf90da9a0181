"""What a remote worker needs of a scheduler: the part of the port of schedulers that a host without one has too."""

from collections.abc import Sequence
from typing import Protocol

from towline.workers.schedulers.scheduler import (
    BatchScript,
    QueuedJob,
    SchedulerFacts,
    StatusAnswer,
    Submission,
    Submitted,
)


class Queue(Protocol):
    """Starts jobs and tells of them; see :class:`towline.workers.schedulers.scheduler.Scheduler`."""

    name: str
    #: Whether standard output stands on the node while a job runs, and takes the place of the file at the end.
    spools_output: bool

    def script(self, batch: BatchScript) -> str:
        """The script of a job."""

    def submit_command(self, submissions: Sequence[Submission]) -> str:
        """Submit each of them exactly once."""

    def read_submissions(self, output: str, submissions: Sequence[Submission]) -> list[Submitted]:
        """What came of each submission, in the same order."""

    def status_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs of a worker."""

    def read_status(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """What is said of jobs that wait or run."""

    def accounting_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs that left the queue."""

    def read_accounting(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """How jobs ended that left the queue."""

    def cancel_command(self, queue_ids: Sequence[str]) -> str:
        """End many jobs."""

    def read_cancellation(self, output: str) -> str | None:
        """Why cancelling did not work; None when it did."""

    def check_command(self) -> str:
        """Ask for version, queues and accounts."""

    def read_check(self, output: str) -> SchedulerFacts:
        """Version, queues and accounts."""
