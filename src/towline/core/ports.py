"""What the features need of each other. They meet in :mod:`towline.operations.compose`, and nowhere else."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Protocol

from towline.core.records import Assignment, BatchRecord, FileElsewhere, Observation


class Step(str, Enum):
    """An action of the runner on a worker."""

    UPLOAD = "upload"  #: make the run folders and put the input files
    SUBMIT = "submit"  #: hand the jobs to the scheduler
    DOWNLOAD = "download"  #: bring the results to this machine
    CANCEL = "cancel"  #: end the whole process group, or take the job out of the scheduler's queue


class Worker(Protocol):
    """A place jobs run: a transport times a scheduler.

    Every action takes a batch, and none of them blocks for long: what came of it is told by :meth:`observe`. An
    implementation that talks over a network does so in a thread of its own.
    """

    name: str

    def advance(self, step: Step, assignments: Sequence[Assignment]) -> None:
        """Begin `step` for all `assignments`. Repeating a step for the same attempt never runs the job twice."""

    def observe(self) -> Sequence[Observation]:
        """Everything that happened since the last call. Tells an `ended` again until it was acknowledged."""

    def acknowledge(self, keys: Sequence[str]) -> None:
        """The ends of these attempts are stored; the worker may forget them."""

    def adopt(self, assignments: Sequence[Assignment]) -> None:
        """After a restart of the runner: these attempts are on the worker as far as the store knows.

        The worker finds out what became of them and tells it with :meth:`observe`: `started`, `ended`, or `returned`
        when an attempt certainly never started.
        """

    def delete(self, run_dirs: Sequence[str]) -> None:
        """Delete run folders of attempts that have ended, as far as they are where such folders are, and ours.

        It may be done later; what cannot be deleted stays, and is logged.
        """

    def file_descriptors(self) -> Sequence[int]:
        """Descriptors that become readable when :meth:`observe` has something to tell."""

    def next_look_seconds(self) -> float | None:
        """Seconds until :meth:`observe` should be called even if no descriptor is readable; None for never."""

    def status(self) -> Mapping[str, Any]:
        """Facts for `tow runner status`: connected or why not, process id, jobs running and waiting for a slot."""

    def close(self) -> None:
        """Let go of connections. Jobs go on running."""


class Batches(Protocol):
    """What a worker offers besides, when its jobs run inside allocations of a scheduler."""

    def batch_news(self) -> Sequence[BatchRecord]:
        """The allocations that changed and were not stored since."""

    def batch_stored(self, records: Sequence[BatchRecord]) -> None:
        """These records of :meth:`batch_news` are stored."""


class Delivery(Protocol):
    """Files on their way to a worker."""

    @property
    def reason(self) -> str:
        """What is being done, or why it does not go on, for who waits."""

    def done(self) -> bool:
        """Whether they are there, or cannot come."""

    def places(self) -> Mapping[str, str]:
        """Where each of them is now, by its path on the worker that it came from; once :meth:`done`.

        Raises
        ------
        TowlineError
            They cannot be brought.
        """

    def give_up(self) -> None:
        """Nobody waits for them any more."""


class Couriers(Protocol):
    """What brings files from one worker to another."""

    def are_needed(self, source: str, target: str) -> bool:
        """Whether the worker `target` does not have the files of `source` anyway."""

    def bring(self, files: Sequence[FileElsewhere], target: str) -> Delivery:
        """Begin to bring files to a worker; what is there already does not come again."""


class Outputs(Protocol):
    """A job store: where the runner reads the outputs of parents and puts the output of a job."""

    #: True when :meth:`store` writes through the transaction it is given, so that output and state change together.
    transactional: bool

    def load(self, connection: Any, uuids: Sequence[str]) -> Mapping[str, tuple[int, bytes]]:
        """``{uuid: (index, output as JSON)}`` of the newest index of each uuid that has an output.

        Parts that were saved in additional stores are put back in.

        Parameters
        ----------
        connection
            Something with the method ``execute`` of the queue's database; ignored when not `transactional`.
        """

    def store(self, transaction: Any, output: bytes, additional: Sequence[tuple[str, bytes]]) -> None:
        """Put the output document of a job, and its large parts into the additional stores first.

        Storing the same document again replaces it.

        Parameters
        ----------
        transaction
            The transaction that completes the job; None when not `transactional`.
        """
