"""The queue of a project as an object, for scripts; methods and parameters are named as in jobflow-remote.

Every method hands over to a function of the operations. `wait` and `break_lock` are accepted and have no meaning: there
are no locks to wait for or to break.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from towline.core.states import JobState
from towline.errors import InvalidRequest
from towline.operations import flows, jobs, selection
from towline.operations.compose import OpenProject
from towline.operations.queue_reading import QueueReader, Texts, listed
from towline.operations.submission import plain_mapping, submit
from towline.store.flow_search import FlowFilter

if TYPE_CHECKING:
    from jobflow import Flow, Job


class JobController(QueueReader):
    """The queue of a project. Made by :meth:`from_project_name` or :meth:`from_project`; to be closed."""

    def add_flow(
        self,
        flow: "Flow | Job | list[Job]",
        worker: str | None = None,
        allow_external_references: bool = False,
        exec_config: object = None,
        resources: object = None,
        priority: int = 0,
        jobstore: str | None = None,
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
        row = self._row(job_id, db_id, job_index)
        changed = jobs.rerun_jobs(self._opened, [row], force=force, raise_on_error=True)
        return [*changed.changed, *changed.also_changed]

    def rerun_jobs(
        self,
        raise_on_error: bool = True,
        force: bool = False,
        wait: int | None = None,
        break_lock: bool = False,
        delete_files: bool = True,
        **query: Any,
    ) -> list[str]:
        """Run jobs again; `query` as in :meth:`count_jobs`. Returns the db_ids of all that go back."""
        changed = jobs.rerun_jobs(self._opened, self._rows(query), force=force, raise_on_error=raise_on_error)
        return [*changed.changed, *changed.also_changed]

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
        self, raise_on_error: bool = True, wait: int | None = None, break_lock: bool = False, **query: Any
    ) -> list[str]:
        """Repeat what failed; `query` as in :meth:`count_jobs`. Returns the db_ids of those that were changed."""
        return self._all(jobs.retry_jobs, query, raise_on_error)

    def pause_job(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        job_index: int | None = None,
        wait: int | None = None,
    ) -> str:
        """Hold a job before its start; return the db_id."""
        return self._one(jobs.pause_jobs, self._row(job_id, db_id, job_index))

    def pause_jobs(self, raise_on_error: bool = True, wait: int | None = None, **query: Any) -> list[str]:
        """Hold jobs; `query` as in :meth:`count_jobs`. Returns the db_ids of those that were changed."""
        return self._all(jobs.pause_jobs, query, raise_on_error)

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
        self, raise_on_error: bool = True, wait: int | None = None, break_lock: bool = False, **query: Any
    ) -> list[str]:
        """Undo pause and stop; `query` as in :meth:`count_jobs`. Returns the db_ids of those that were changed."""
        return self._all(jobs.resume_jobs, query, raise_on_error)

    def resume_flow(
        self,
        job_id: str | None = None,
        db_id: str | None = None,
        flow_id: str | None = None,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> int:
        """Undo pause and stop in a whole flow; return the number of jobs that were changed."""
        text, is_job = (flow_id, False) if flow_id is not None else (job_id or db_id, True)
        if text is None:
            raise InvalidRequest("name the flow: flow_id, or job_id or db_id of one of its jobs")
        return flows.resume_flow(self._opened, selection.flow_row(self._opened, text, is_job=is_job))

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
        self, raise_on_error: bool = True, wait: int | None = None, break_lock: bool = False, **query: Any
    ) -> list[str]:
        """End jobs; `query` as in :meth:`count_jobs`. Returns the db_ids of those that were changed."""
        return self._all(jobs.stop_jobs, query, raise_on_error)

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
        raise_on_error: bool = True,
        wait: int | None = None,
        break_lock: bool = False,
        **query: Any,
    ) -> list[str]:
        """Force jobs into a state; `query` as in :meth:`count_jobs`. Returns their db_ids."""
        return self._all(_to_state(state), query, raise_on_error)

    def set_job_run_properties(
        self,
        worker: str | None = None,
        exec_config: object = None,
        resources: object = None,
        priority: int | None = None,
        update: bool = True,
        raise_on_error: bool = True,
        **query: Any,
    ) -> list[str]:
        """Change what jobs ask for; `query` as in :meth:`count_jobs`. Returns the db_ids of those that were changed.

        Parameters
        ----------
        update
            Merge mappings key by key, instead of putting them in the place of the old ones.
        """
        rows = self._rows(query)
        properties = jobs.RunProperties(
            worker=worker,
            exec_config=exec_config if isinstance(exec_config, str) else plain_mapping("exec_config", exec_config),
            resources=plain_mapping("resources", resources),
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
        """Take a job out of the queue; return the db_id it had."""
        row = self._row(job_id, db_id, job_index)
        changed = jobs.delete_jobs(self._opened, [row], outputs=delete_output, files=delete_files, raise_on_error=True)
        return changed.changed[0]

    def delete_jobs(
        self,
        raise_on_error: bool = True,
        wait: int | None = None,
        delete_output: bool = False,
        delete_files: bool = False,
        max_limit: int = 10,
        **query: Any,
    ) -> list[str]:
        """Take jobs out of the queue; `query` as in :meth:`count_jobs`. Returns the db_ids they had.

        Raises
        ------
        InvalidRequest
            There are more than `max_limit`; 0 is no limit.
        """
        rows = self._rows(query)
        if max_limit and len(rows) > max_limit:
            raise InvalidRequest(f"{len(rows)} jobs would be deleted, more than max_limit={max_limit}; 0 is no limit")
        changed = jobs.delete_jobs(
            self._opened, rows, outputs=delete_output, files=delete_files, raise_on_error=raise_on_error
        )
        return list(changed.changed)

    def delete_flow(
        self,
        flow_id: str,
        delete_output: bool = False,
        delete_files: bool = False,
        cancel_processes: bool = True,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> bool:
        """Take a flow out of the queue; False when there is none. What runs is always ended."""
        rows = flows.flow_rows(self._opened, FlowFilter(flow_ids=(flow_id,)))
        flows.delete_flows(self._opened, rows, outputs=delete_output, files=delete_files)
        return bool(rows)

    def delete_flows(
        self,
        flow_ids: Texts = None,
        max_limit: int = 10,
        raise_on_error: bool = False,
        delete_output: bool = False,
        delete_files: bool = False,
        cancel_processes: bool = True,
        wait: int | None = None,
        break_lock: bool = False,
    ) -> list[str]:
        """Take flows out of the queue, all when none is named; return their uuids.

        Raises
        ------
        InvalidRequest
            There are more than `max_limit`; 0 is no limit.
        """
        wanted = FlowFilter() if flow_ids is None else FlowFilter(flow_ids=tuple(listed(flow_ids)) or ("",))
        rows = flows.flow_rows(self._opened, wanted)
        deleted = flows.delete_flows(self._opened, rows, max_limit=max_limit, outputs=delete_output, files=delete_files)
        return list(deleted.flow_ids)

    def _one(self, action: Callable[..., jobs.Changed], row: int) -> str:
        return action(self._opened, [row], raise_on_error=True).changed[0]

    def _all(self, action: Callable[..., jobs.Changed], query: Mapping[str, Any], raise_on_error: bool) -> list[str]:
        return list(action(self._opened, self._rows(query), raise_on_error=raise_on_error).changed)


def _to_state(state: JobState | str) -> Callable[..., jobs.Changed]:
    def act(opened: OpenProject, rows: Iterable[int], *, raise_on_error: bool) -> jobs.Changed:
        return jobs.set_job_states(opened, rows, JobState(state))

    return act
