"""Ending attempts that a user stopped, reran or deleted; a request stays until its end is confirmed."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from towline.core.ports import Step
from towline.core.records import Assignment
from towline.runner.setup import Place
from towline.store.database import Database, Transaction

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An attempt that has to end."""

    job_id: int
    attempt: int
    uuid: str
    index: int
    worker: str
    run_dir: str | None
    #: 1 when the run folder is to be deleted afterwards.
    delete_files: int

    @property
    def key(self) -> str:
        """Identity of the attempt on the worker."""
        return f"{self.job_id}.{self.attempt}"


def pending(database: Database, places: Mapping[str, Place], told: set[str]) -> dict[str, Cancellation]:
    """Every attempt on `places` that has to end and is not known to have ended, by key.

    A request for a worker that is not configured any more stays until it is again, or until somebody gives it up with
    `tow admin unlock`: whether the attempt runs cannot be known.

    Parameters
    ----------
    told
        Keys of the requests that cannot be carried out and that the log has told of; new ones are added.
    """
    rows = database.read("SELECT job_id, attempt, uuid, job_index, worker, run_dir, delete_files FROM cancellation")
    found = [Cancellation(*row) for row in rows]
    for item in found:
        if item.worker not in places and item.key not in told:
            told.add(item.key)
            logger.warning(
                "attempt %d of job %s%d cannot be ended: the worker %r is not configured. Put it back, or give the "
                "attempt up: tow admin unlock",
                *(item.attempt, database.db_id_prefix, item.job_id, item.worker),
            )
    return {cancellation.key: cancellation for cancellation in found if cancellation.worker in places}


def send(places: Mapping[str, Place], cancellations: Sequence[Cancellation]) -> None:
    """Ask the workers to end these attempts; asking again does no harm."""
    for name, place in places.items():
        assignments = [_assignment(item) for item in cancellations if item.worker == name]
        if assignments:
            place.worker.advance(Step.CANCEL, assignments)


def confirm(transaction: Transaction, cancellation: Cancellation) -> None:
    """The attempt has ended: forget the request."""
    transaction.execute(
        "DELETE FROM cancellation WHERE job_id = ? AND attempt = ?", (cancellation.job_id, cancellation.attempt)
    )
    transaction.execute(
        "UPDATE job SET ended_at = ? WHERE id = ? AND attempt = ? AND started_at IS NOT NULL AND ended_at IS NULL",
        (transaction.now, cancellation.job_id, cancellation.attempt),
    )
    transaction.note(cancellation.job_id, f"attempt {cancellation.attempt} has ended on {cancellation.worker}")


def delete_files(cancellation: Cancellation, place: Place) -> None:
    """Delete the run folder of an ended attempt, if the user wanted that."""
    if cancellation.delete_files and cancellation.run_dir is not None:
        place.worker.delete([cancellation.run_dir])


def _assignment(cancellation: Cancellation) -> Assignment:
    return Assignment(
        job_id=cancellation.job_id,
        uuid=cancellation.uuid,
        index=cancellation.index,
        attempt=cancellation.attempt,
        name="",
        payload_kind="",
        package=b"",
        run_dir=cancellation.run_dir or "",
        placed=cancellation.run_dir is not None,
    )
