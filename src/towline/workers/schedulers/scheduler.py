"""The port of batch schedulers: text in, text out. A scheduler builds scripts and reads answers, and runs nothing.

Every method whose name ends in `_command` gives a POSIX shell script, to be run on a login node by whatever transport
the worker has; the `read_` method of the same name takes what the script wrote to standard output, whole or cut off,
and never raises about it. What a script prints is framed (see :mod:`towline.workers.schedulers.frames`), so banners of
login shells do no harm, and several scripts may be run one after another in one round trip.

One rule stands above all: unknown is not failed. A job is :attr:`QueueState.ENDED` only when the scheduler's own
accounting says so; an empty answer, an error, or an answer about another job that got the same id changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from towline.core.records import ShellSetup
from towline.core.run_folder import SCRIPT_FILE

#: In the run folder: ``<id of the scheduler> <seconds since the epoch>``, written in one piece in the same command that
#: submits; where the job itself does not find it there when it starts, by the job. Empty, it says nothing.
QUEUE_ID_FILE = "towline_queue_id"

#: Seconds after which a submission of which nobody knows whether it was accepted, and which the scheduler does not
#: list, was certainly not accepted. Longer than :data:`SUBMIT_TIMEOUT_SECONDS` plus what a busy scheduler takes for a
#: request.
SETTLE_SECONDS = 90.0

#: Seconds after which the program that submits is ended.
SUBMIT_TIMEOUT_SECONDS = 60


class QueueState(str, Enum):
    """What a scheduler says of a job, in words that all of them share."""

    QUEUED = "queued"  #: waits for resources
    HELD = "held"  #: waits for something else: a person, a dependency, a time
    RUNNING = "running"  #: started, or on its way into or out of the nodes
    ENDED = "ended"  #: will not run any more, and :attr:`JobStatus.end` says how it ended
    UNKNOWN = "unknown"  #: nothing is known, or it cannot be understood; never a reason to give a job up


class EndReason(str, Enum):
    """Why a job ended."""

    COMPLETED = "completed"  #: exit code 0
    EXIT_CODE = "exit_code"  #: its script ended with another exit code
    SIGNAL = "signal"  #: a signal ended it, and nobody says why
    TIMEOUT = "timeout"  #: it reached its time limit
    OUT_OF_MEMORY = "out_of_memory"
    NODE_FAILURE = "node_failure"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"  #: by a person; :attr:`JobEnd.ended_by` when the scheduler says who
    NEVER_STARTED = "never_started"  #: no line of its script was run


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended, by the accounting of the scheduler."""

    reason: EndReason
    exit_code: int | None = None
    signal: int | None = None
    #: Who cancelled it: a user name or a number of one.
    ended_by: str | None = None
    #: A sentence for the user.
    message: str = ""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What a scheduler says of one job. Times are seconds since the epoch by the clock of the cluster."""

    queue_id: str
    state: QueueState
    #: The state in the scheduler's own words; None when it said nothing.
    raw_state: str | None = None
    #: Why it is in this state, in the scheduler's own words.
    reason: str | None = None
    nodes: str | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    peak_memory_bytes: int | None = None
    #: With :attr:`QueueState.ENDED`, and only then.
    end: JobEnd | None = None


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job to ask about."""

    queue_id: str
    #: What its name ends with (see :func:`mark`); an answer about a job without it is about somebody else's.
    mark: str
    #: When it was submitted, by the clock of the login node.
    submitted_at: float | None = None


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """What came of asking about several jobs."""

    #: Of every job that was asked about.
    statuses: Mapping[str, JobStatus]
    #: Ids about which a good answer said nothing. After the status query: they left the queue, so ask the accounting.
    #: After the accounting query: nothing final is recorded (yet).
    missing: tuple[str, ...] = ()
    #: Why there is no answer; it concerns the worker, and no job.
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A script to hand to the scheduler, from the folder it lies in."""

    #: Absolute path.
    run_dir: str
    #: What the name of the job ends with; the same as in the script.
    mark: str
    #: Name of the script in `run_dir`.
    script: str = SCRIPT_FILE


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a scheduler did not take a job."""

    #: What it said, in one line.
    message: str
    #: What to do about it.
    remedy: str = ""
    #: Whether the same submission may be accepted later.
    may_retry: bool = False
    #: The exit code of its program.
    exit_code: int | None = None


class Outcome(str, Enum):
    """What came of a submission."""

    SUBMITTED = "submitted"  #: accepted just now
    RECORDED = "recorded"  #: was submitted before, as the folder says
    FOUND = "found"  #: was accepted before without being recorded; found in the scheduler by its mark
    REFUSED = "refused"  #: certainly not accepted
    UNDECIDED = "undecided"  #: nobody knows yet: submit again later, which is always safe


@dataclass(frozen=True, slots=True)
class Submitted:
    """What came of one submission."""

    submission: Submission
    outcome: Outcome
    queue_id: str | None = None
    #: Seconds since the epoch, by the clock of the login node.
    submitted_at: float | None = None
    refusal: Refusal | None = None
    #: With UNDECIDED: why.
    message: str = ""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A queue or partition."""

    name: str
    is_open: bool
    time_limit: str | None = None


@dataclass(frozen=True, slots=True)
class SchedulerFacts:
    """What `tow worker check` learns of a scheduler."""

    version: str | None
    queues: tuple[QueueFacts, ...] = ()
    #: Accounts that the user may charge, when the scheduler tells.
    accounts: tuple[str, ...] = ()
    #: Whether ended jobs can be asked about.
    has_accounting: bool = True
    #: One sentence each, with the remedy.
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchScript:
    """What goes into the script of a job, besides its directives."""

    run_dir: str
    mark: str
    #: Program and arguments.
    command: Sequence[str]
    #: A name for people.
    name: str = ""
    setup: ShellSetup = field(default_factory=ShellSetup)
    #: Lines of towline after everything else, however the command ended.
    last: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)


class Scheduler(Protocol):
    """A batch scheduler."""

    #: The `scheduler_type` of workers.
    name: str
    #: Whether standard output stands on the node while a job runs, and takes the place of the file at the end.
    spools_output: bool

    def directives(self, resources: Mapping[str, Any], *, job_name: str) -> list[str]:
        """Lines for the top of a script.

        Parameters
        ----------
        resources
            Portable ones (:class:`towline.core.resources.PortableResources`), the scheduler's own words, or both.
        job_name
            From :func:`job_name`.

        Raises
        ------
        InvalidRequest
            A key or a value means nothing to this scheduler; the message names near ones.
        """

    def script(self, batch: BatchScript) -> str:
        """The script of a job. Its exit code is that of the command.

        Raises
        ------
        InvalidRequest
            Its resources or variables cannot be used.
        """

    def submit_command(self, submissions: Sequence[Submission], *, settle_seconds: float = SETTLE_SECONDS) -> str:
        """Submit each of them exactly once, however often and from however many places this is run."""

    def read_submissions(self, output: str, submissions: Sequence[Submission]) -> list[Submitted]:
        """What came of each submission, in the same order."""

    def status_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs of a worker."""

    def read_status(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """What the scheduler says of jobs that wait or run."""

    def accounting_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs that left the queue."""

    def read_accounting(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """How jobs ended that left the queue."""

    def cancel_command(self, queue_ids: Sequence[str]) -> str:
        """End many jobs; those that have ended already do no harm."""

    def read_cancellation(self, output: str) -> str | None:
        """Why cancelling did not work, so that it has to be repeated; None when it did."""

    def check_command(self) -> str:
        """Ask for version, queues and accounts."""

    def read_check(self, output: str) -> SchedulerFacts:
        """Version, queues and accounts."""

    def explain_refusal(self, exit_code: int, text: str) -> Refusal:
        """What a refusal of the scheduler means, and what to do about it."""


def mark(uuid: str, index: int, attempt: int) -> str:
    """What the name of an attempt's job in the scheduler ends with, and that of no other job of the user.

    It has 12 of the 32 hexadecimal digits of `uuid`.
    """
    return f"tow{uuid.replace('-', '')[:12]}.{index}.{attempt}"


def job_name(readable: str, own_mark: str) -> str:
    """Name of a job in the scheduler: letters, digits and ``_.+-`` of a name for people, then its mark."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_+-") else "_" for letter in readable)
    # Schedulers want a letter first, and cut names after 200 and more characters.
    return f"{kept[:60].lstrip('_+-0123456789') or 'job'}.{own_mark}"
