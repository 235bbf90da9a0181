"""The record of the job that runs in this process."""

from typing import Any


class JobRecord(dict[str, Any]):
    """What the queue says about a job: db_id, uuid, index, attempt, name, worker, priority, resources, run_dir, ...

    Its keys are attributes too: ``CURRENT_JOBDOC.job_doc.resources``.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the record of a job has no {name!r}; it has {', '.join(self)}") from None


class CurrentJob:
    """Holds the record while a job runs.

    Attributes
    ----------
    job_doc
        The record; None while no job runs.
    """

    job_doc: JobRecord | None = None

    def reset(self) -> None:
        """Forget the record."""
        self.job_doc = None


#: The running job's own record; jobflow's `CURRENT_JOB` has the Job itself.
CURRENT_JOBDOC = CurrentJob()
