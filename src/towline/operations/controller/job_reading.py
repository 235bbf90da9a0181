"""Reading jobs from scripts; methods and parameters are named as in jobflow-remote."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from towline.core.states import JobState
from towline.operations import jobs
from towline.operations.controller.queue import (
    Fields,
    JobIds,
    JobStates,
    ProjectQueue,
    Query,
    Sorting,
    Texts,
    if_there,
    listed,
    page,
    projected,
    states_of,
)
from towline.operations.controller.records import job_record
from towline.operations.job_documents import JobDoc, job_document
from towline.operations.job_outputs import job_output
from towline.store.job_info import JobInfo
from towline.store.job_search import JobFilter


class JobReading(ProjectQueue):
    """What there is to know about jobs.

    Methods that look for jobs take ids, states, dates (of the last update; local when naive), a name (exact, or with
    ``*`` and ``?``), metadata, workers, and criteria in the language of the job store; what is not given does not
    restrict. Dates come back aware, in UTC.
    """

    def get_jobs_info(
        self,
        custom_query: Query = None,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        locked: bool = False,
        sort: Sorting = None,
        limit: int = 0,
        skip: int = 0,
    ) -> list[JobInfo]:
        """The jobs that are like that; all, in the order of their creation, when nothing is given."""
        wanted = self._wanted(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query, locked
        )
        return jobs.list_jobs(self._opened, wanted, page(sort, limit, skip), details=True)

    def get_job_info(
        self, job_id: str | None = None, db_id: str | None = None, job_index: int | None = None
    ) -> JobInfo | None:
        """One job, or None; the newest with this uuid without an index."""
        return if_there(lambda: jobs.get_job(self._opened, self._row(job_id, db_id, job_index)))

    def get_job_info_by_pid(self, pid: int | str) -> JobInfo | None:
        """The newest job with this process or scheduler id, or None."""
        return if_there(lambda: jobs.get_job(self._opened, jobs.job_of_process(self._opened, str(pid))))

    def get_job_doc(
        self, job_id: str | None = None, db_id: str | None = None, job_index: int | None = None
    ) -> JobDoc | None:
        """One job with the jobflow Job in it, or None."""
        return if_there(lambda: job_document(self._opened, self._row(job_id, db_id, job_index)))

    def get_jobs_doc(
        self,
        custom_query: Query = None,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        locked: bool = False,
        sort: Sorting = None,
        limit: int = 0,
    ) -> list[JobDoc]:
        """The jobs that are like that, each with the jobflow Job in it."""
        wanted = self._wanted(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query, locked
        )
        found = jobs.list_jobs(self._opened, wanted, page(sort, limit))
        return [job_document(self._opened, job.id) for job in found]

    def get_jobs(self, query: Query, projection: Fields = None) -> list[dict[str, Any]]:
        """The jobs that meet criteria, as mappings with the keys of jobflow-remote; `projection` chooses keys."""
        found = jobs.list_jobs(self._opened, self._meeting(query), page(None, 0), details=True)
        return [projected(job_record(self._opened, job), projection) for job in found]

    def get_jobs_info_query(
        self, query: Query = None, sort: Sorting = None, limit: int = 0, skip: int = 0
    ) -> list[JobInfo]:
        """The jobs that meet criteria."""
        return jobs.list_jobs(self._opened, self._meeting(query), page(sort, limit, skip), details=True)

    def get_jobs_doc_query(
        self, query: Query = None, sort: Sorting = None, limit: int = 0, skip: int = 0
    ) -> list[JobDoc]:
        """The jobs that meet criteria, each with the jobflow Job in it."""
        found = jobs.list_jobs(self._opened, self._meeting(query), page(sort, limit, skip))
        return [job_document(self._opened, job.id) for job in found]

    def get_job_info_by_job_uuid(
        self, job_uuid: str, job_index: int | str = "last", projection: Fields = None
    ) -> dict[str, Any] | None:
        """A job as a mapping, or None; `job_index` is a number or "last"."""
        index = None if job_index == "last" else int(job_index)
        found = self.get_job_info(job_id=job_uuid, job_index=index)
        return None if found is None else projected(job_record(self._opened, found), projection)

    def get_jobs_info_by_flow_uuid(self, flow_uuid: str, projection: Fields = None) -> list[dict[str, Any]]:
        """The jobs of a flow, as mappings."""
        found = jobs.list_jobs(self._opened, JobFilter(flow_ids=(flow_uuid,)), page(None, 0), details=True)
        return [projected(job_record(self._opened, job), projection) for job in found]

    def get_job_uuids(self, flow_uuids: Texts) -> list[str]:
        """Uuids of the jobs in these flows, each once."""
        wanted = JobFilter(flow_ids=tuple(listed(flow_uuids)) or ("",))
        return list(dict.fromkeys(job.uuid for job in jobs.list_jobs(self._opened, wanted, page(None, 0))))

    def count_jobs(
        self,
        query: Query = None,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        locked: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
    ) -> int:
        """Number of jobs that are like that."""
        wanted = self._wanted(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, query, locked
        )
        return jobs.count_jobs(self._opened, wanted)

    def count_jobs_states(self, states: JobStates, worker: str | None = None) -> dict[JobState, int]:
        """Number of jobs in each of these states."""
        return jobs.count_jobs_by_state(self._opened, states_of(JobState, states), listed(worker))

    def get_job_output(
        self, job_id: str | None = None, db_id: str | None = None, job_index: int | None = None, load: bool = False
    ) -> Any:
        """The output of a job; `load` puts in what is in additional stores."""
        row = self._row(job_id, db_id, job_index)
        return job_output(self._opened, jobs.get_job(self._opened, row), load=load)

    def _meeting(self, query: Query) -> JobFilter:
        return self._wanted(None, None, None, None, None, None, None, None, None, query)
