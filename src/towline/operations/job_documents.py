"""The whole of a job, with the work itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towline.core.documents import decode
from towline.operations.jobs import JobFilter, Page, Sort, get_job, list_jobs
from towline.store.job_details import read_payload, read_payloads
from towline.store.job_info import JobInfo

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


@dataclass(frozen=True)
class JobDoc:
    """A job with its payload. What is not here is looked up in :attr:`info`: ``document.state``."""

    info: JobInfo
    #: The work, as the queue stores it.
    payload: Mapping[str, Any]

    @property
    def job(self) -> Any:
        """The jobflow Job; for a command job, the command as a mapping.

        Raises
        ------
        InvalidRequest
            Its function, or a class that an argument needs, cannot be imported here.
        """
        if self.info.payload_kind != "jobflow":
            return self.payload
        # jobflow takes most of a second to load; states and names need nothing of it.
        from towline.jobflow.job_document import read_job

        return read_job(self.payload["job"])

    def __getattr__(self, name: str) -> Any:
        # Only called for what the document itself has not; names with underscores are asked for by copy and pickle.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.info, name)


def job_document(opened: "OpenProject", row: int) -> JobDoc:
    """One job with its payload.

    Raises
    ------
    NoSuchJob
        It was deleted meanwhile.
    """
    info = get_job(opened, row)
    return JobDoc(info, decode(read_payload(opened.database, row)))


def job_documents(opened: "OpenProject", wanted: JobFilter) -> list[JobDoc]:
    """All jobs that `wanted` admits, oldest first, with their payloads."""
    found = list_jobs(opened, wanted, Page(Sort.DB_ID, ascending=True), details=True)
    payloads = read_payloads(opened.database, [job.id for job in found])
    return [JobDoc(job, decode(payloads[job.id])) for job in found if job.id in payloads]
