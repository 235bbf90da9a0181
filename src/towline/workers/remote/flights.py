"""What a remote worker remembers of the attempts that it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from towline.core.records import Assignment, Observation
from towline.workers.remote.folders import Prepared, submission_of
from towline.workers.schedulers.scheduler import JobStatus, QueuedJob


class Phase(Enum):
    """How far an attempt has come. Times are monotonic seconds."""

    UPLOADING = "uploading"  #: handed over; not yet to be submitted
    WAITING = "waiting"  #: to be submitted as soon as there is a slot and a connection
    ADOPTED = "adopted"  #: an earlier runner had it; nobody has looked yet
    QUEUED = "queued"  #: with the scheduler
    RUNNING = "running"
    ENDED = "ended"  #: told, and kept until it is acknowledged


@dataclass(slots=True)
class Flight:
    """One attempt. Changes as it goes on; guarded by the lock of its worker."""

    key: str
    run_dir: str
    mark: str
    kind: str
    resources: Mapping[str, Any]
    priority: int
    job_id: int
    phase: Phase
    #: Content of the job file; None after an adoption.
    package: bytes | None = None
    #: What is sent; None after an adoption, and after it was sent.
    prepared: Prepared | None = None
    #: Whether its run folder is known to have been there, by an earlier runner.
    placed: bool = False
    uploaded: bool = False
    #: Whether its submission is under way just now.
    sending: bool = False
    started_told: bool = False
    #: Submissions that nobody knows the outcome of are not repeated before this time.
    try_again_at: float = 0.0
    queue_id: str | None = None
    #: By the clock of the login node, in seconds since the epoch.
    submitted_at: float | None = None
    #: When it got into its phase.
    since: float = 0.0
    #: What the accounting said in the end, and since when we wait for the job's own record.
    ended_status: JobStatus | None = None
    ended_since: float | None = None
    #: Since when its own exit record waits for what the accounting knows.
    unexplained_since: float | None = None
    #: Since when neither queue nor accounting know of it, and how often they said so.
    gone_since: float | None = None
    gone_looks: int = 0
    #: Whether it waited in the queue when the scheduler was asked last.
    waits: bool = False
    #: Why it waits, in the scheduler's words.
    reason: str | None = None
    #: Uid of the allocation in which a job of a batch worker began.
    batch: str | None = None
    cancel: bool = False
    #: Whether the scheduler was told to end it.
    cancel_sent_at: float | None = None
    told: Observation | None = None
    told_at: float = 0.0

    @classmethod
    def of(cls, assignment: Assignment, phase: Phase, now: float) -> "Flight":
        """The flight of an assignment."""
        return cls(
            key=assignment.key,
            run_dir=assignment.run_dir,
            mark=submission_of(assignment).mark,
            kind=assignment.payload_kind,
            resources=assignment.resources,
            priority=assignment.priority,
            job_id=assignment.job_id,
            phase=phase,
            package=assignment.package or None,
            placed=assignment.placed,
            since=now,
        )

    @property
    def in_place(self) -> bool:
        """Whether it takes a slot: it is, or may be, with the scheduler."""
        return self.phase in (Phase.ADOPTED, Phase.QUEUED, Phase.RUNNING)

    @property
    def queued_job(self) -> QueuedJob | None:
        """What the scheduler is asked about."""
        return None if self.queue_id is None else QueuedJob(self.queue_id, self.mark, self.submitted_at)
