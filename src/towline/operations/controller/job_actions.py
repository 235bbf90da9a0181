"""Acting on jobs from scripts; methods and parameters are named as in jobflow-remote.

`wait` and `break_lock` are accepted and have no meaning: there are no locks to wait for or to break.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from towline.core.states import JobState
from towline.errors import InvalidRequest
from towline.operations import jobs
from towline.operations.compose import OpenProject
from towline.operations.controller.queue import JobIds, JobStates, ProjectQueue, Query, Texts, states_of
from towline.operations.run_folders import delete_files
from towline.operations.submission import plain_mapping, submit
from towline.store.job_info import JobInfo

if TYPE_CHECKING:
    from jobflow import Flow, Job


class JobActions(ProjectQueue):
    """What can be done to jobs. One job is named by its uuid (and index) or its db_id; jobs are looked for as in
    :class:`towline.operations.controller.job_reading.JobReading`, and without any restriction all are meant.

    What acts on many returns the db_ids of those that were changed, and with `raise_on_error` changes none when one of
    them is refused.
    """

    def add_flow(
        self,
        flow: "Flow | Job | list[Job]",
        worker: str | None = None,
        allow_external_references: bool = False,
        exec_config: object = None,
        resources: object = None,
        priority: int = 0,
        jobstore: str | None = None,
        work_dir: str | None = None,
    ) -> list[str]:
        """Put a flow into the queue; see :func:`towline.submit_flow`."""
        return submit(
            self._opened,
            flow,
            worker=worker,
            exec_config=exec_config,
            resources=resources,
            priority=priority,
            allow_external_references=allow_external_references,
            jobstore=jobstore,
            work_dir=work_dir,
        )

    def rerun_job(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        job_index: int | None = None,
        force: bool = False,
        wait: int | None = None,
        break_lock: bool = False,
        delete_files: bool = True,
    ) -> list[str]:
        """Run a job again; return the db_ids of all that go back. Folders of earlier attempts stay in any case."""
        rows = [self._row(job_id, db_id, job_index)]
        return _all_changed(jobs.rerun_jobs(self._opened, rows, force=force, raise_on_error=True))

    def rerun_jobs(
        self,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        custom_query: Query = None,
        raise_on_error: bool = True,
        force: bool = False,
        wait: int | None = None,
        break_lock: bool = False,
        delete_files: bool = True,
    ) -> list[str]:
        """Run jobs again; return the db_ids of all that go back. Folders of earlier attempts stay in any case."""
        rows = self._rows(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query
        )
        return _all_changed(jobs.rerun_jobs(self._opened, rows, force=force, raise_on_error=raise_on_error))

    def retry_job(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        job_index: int | None = None,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> str:
        """Repeat the action of the runner that failed; return the db_id."""
        return self._one(jobs.retry_jobs, self._row(job_id, db_id, job_index))

    def retry_jobs(
        self,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        custom_query: Query = None,
        raise_on_error: bool = True,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> list[str]:
        """Repeat the actions of the runner that failed."""
        rows = self._rows(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query
        )
        return self._all(jobs.retry_jobs, rows, raise_on_error)

    def pause_job(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        job_index: int | None = None,
        wait: int | None = None,
    ) -> str:
        """Hold a job before its start; return the db_id."""
        return self._one(jobs.pause_jobs, self._row(job_id, db_id, job_index))

    def pause_jobs(
        self,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        custom_query: Query = None,
        raise_on_error: bool = True,
        wait: int | None = None,
    ) -> list[str]:
        """Hold jobs before their start."""
        rows = self._rows(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query
        )
        return self._all(jobs.pause_jobs, rows, raise_on_error)

    def resume_job(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        job_index: int | None = None,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> str:
        """Undo pause and stop of a job; return the db_id."""
        return self._one(jobs.resume_jobs, self._row(job_id, db_id, job_index))

    def resume_jobs(
        self,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        custom_query: Query = None,
        raise_on_error: bool = True,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> list[str]:
        """Undo pause and stop of jobs."""
        rows = self._rows(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query
        )
        return self._all(jobs.resume_jobs, rows, raise_on_error)

    def stop_job(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        job_index: int | None = None,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> str:
        """End a job, wherever it is; return the db_id."""
        return self._one(jobs.stop_jobs, self._row(job_id, db_id, job_index))

    def stop_jobs(
        self,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        custom_query: Query = None,
        raise_on_error: bool = True,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> list[str]:
        """End jobs, wherever they are."""
        rows = self._rows(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query
        )
        return self._all(jobs.stop_jobs, rows, raise_on_error)

    def set_job_state(
        self,
        state: JobState | str,
        job_id: str | None = None,
        db_id: str | None = None,
        job_index: int | None = None,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> str:
        """Force a job into a state, unchecked; flow and children follow. Returns the db_id."""
        return self._one(_to_state(state), self._row(job_id, db_id, job_index))

    def set_jobs_state(
        self,
        state: JobState | str,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        custom_query: Query = None,
        raise_on_error: bool = True,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> list[str]:
        """Force jobs into a state, unchecked; flows and children follow."""
        rows = self._rows(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query
        )
        return self._all(_to_state(state), rows, raise_on_error)

    def set_job_run_properties(
        self,
        worker: str | None = None,
        exec_config: object = None,
        resources: object = None,
        priority: int | None = None,
        update: bool = True,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        custom_query: Query = None,
        raise_on_error: bool = True,
        work_dir: str | None = None,
    ) -> list[str]:
        """Change what jobs ask for.

        Parameters
        ----------
        update
            Merge mappings key by key, instead of putting them in the place of the old ones.
        work_dir
            Folder on the worker that the run folders are in; an empty text is that of the worker.
        """
        rows = self._rows(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query
        )
        properties = jobs.RunProperties(
            worker=worker,
            exec_config=exec_config if isinstance(exec_config, str) else plain_mapping("exec_config", exec_config),
            resources=plain_mapping("resources", resources),
            work_dir=work_dir,
        )
        changed = jobs.change_properties(
            self._opened, rows, properties, priority, replace=not update, raise_on_error=raise_on_error
        )
        return list(changed.changed)

    def delete_job(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        job_index: int | None = None,
        delete_output: bool = False,
        delete_files: bool = False,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> str:
        """Take a job out of the queue, ending it first; return the db_id it had."""
        rows = [self._row(job_id, db_id, job_index)]
        changed = jobs.delete_jobs(self._opened, rows, outputs=delete_output, files=delete_files, raise_on_error=True)
        return changed.changed[0]

    def delete_jobs(
        self,
        job_ids: JobIds = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: JobStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        workers: Texts = None,
        custom_query: Query = None,
        raise_on_error: bool = True,
        wait: int | None = None,
        delete_output: bool = False,
        delete_files: bool = False,
        max_limit: int = 10,
    ) -> list[str]:
        """Take jobs out of the queue, ending them first; return the db_ids they had.

        Raises
        ------
        InvalidRequest
            There are more than `max_limit`; 0 is no limit.
        """
        rows = self._rows(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, custom_query
        )
        if max_limit and len(rows) > max_limit:
            raise InvalidRequest(f"{len(rows)} jobs would be deleted, more than max_limit={max_limit}; 0 is no limit")
        changed = jobs.delete_jobs(
            self._opened, rows, outputs=delete_output, files=delete_files, raise_on_error=raise_on_error
        )
        return list(changed.changed)

    def safe_delete_files(self, jobs_info: Sequence[JobInfo]) -> list[JobInfo]:
        """Delete the run folders of jobs that are over; return the jobs whose folders went."""
        return [job for job in jobs_info if delete_files(self._opened, [job.id])]

    def _one(self, action: Callable[..., jobs.Changed], row: int) -> str:
        return action(self._opened, [row], raise_on_error=True).changed[0]

    def _all(self, action: Callable[..., jobs.Changed], rows: Sequence[int], raise_on_error: bool) -> list[str]:
        return list(action(self._opened, rows, raise_on_error=raise_on_error).changed)


def _all_changed(result: jobs.Changed) -> list[str]:
    return [*result.changed, *result.also_changed]


def _to_state(state: JobState | str) -> Callable[..., jobs.Changed]:
    (wanted,) = states_of(JobState, [state])

    def act(opened: OpenProject, rows: Iterable[int], *, raise_on_error: bool) -> jobs.Changed:
        return jobs.set_job_states(opened, rows, wanted)

    return act
