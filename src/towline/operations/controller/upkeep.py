"""The runner record and the database, for scripts; methods are named as in jobflow-remote."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from towline.core.states import FlowState, JobState
from towline.errors import InvalidRequest
from towline.operations import database_upgrades
from towline.operations.backups import create_backup, restore_backup
from towline.operations.controller.queue import (
    FlowStates,
    JobIds,
    JobStates,
    ProjectQueue,
    Texts,
    states_of,
)
from towline.operations.reports import Interval, count_trends
from towline.operations.runners import RunnerState, forget_runner, status_of
from towline.store.migrations import SCHEMA_VERSION


class Upkeep(ProjectQueue):
    """What is not about jobs and flows."""

    @property
    def queue_supports_transactions(self) -> bool:
        """True: every change is one transaction."""
        return True

    def get_running_runner(self) -> dict[str, Any] | None:
        """The runner that holds this project, as a mapping; None when there is none."""
        found = status_of(self._opened)
        if found.state in (RunnerState.SHUT_DOWN, RunnerState.STARTING):
            return None
        return {
            **asdict(found),
            "state": found.state.value,
            "hostname": found.host,
            "project_name": found.project,
            "user": found.user_name,
            "daemon_dir": str(self.project.daemon_dir),
            "start_time": found.started_at,
            "last_pinged": found.heartbeat_at,
        }

    def clean_running_runner(self, break_lock: bool = False) -> None:
        """Take the lease from whoever holds it; a runner that lives notices, and ends."""
        forget_runner(self._opened)

    def unlock_jobs(
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
    ) -> int:
        """Take these jobs, all by default, from the runner that holds them; return how many it held.

        A lease ends by itself when its runner is gone: this is for when you cannot wait.
        """
        wanted = self._wanted(
            job_ids, db_ids, flow_ids, states, start_date, end_date, name, metadata, workers, None, locked=True
        )
        return len(database_upgrades.unlock_jobs(self._opened, wanted))

    def unlock_flows(
        self,
        job_ids: Texts = None,
        db_ids: Texts = None,
        flow_ids: Texts = None,
        states: FlowStates = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        name: str | None = None,
    ) -> int:
        """Take the jobs of these flows, all by default, from the runner that holds them; return how many it held."""
        wanted = self._wanted_flows(job_ids, db_ids, flow_ids, states, start_date, end_date, name, None, locked=True)
        return len(database_upgrades.unlock_flows(self._opened, wanted))

    def unlock_runner(self) -> tuple[int, int]:
        """Forget the registered runner; return how many there were, and how many were forgotten."""
        found = int(forget_runner(self._opened))
        return found, found

    def build_indexes(self, background: bool = True, custom_indexes: object = None, drop: bool = False) -> None:
        """Write the indexes of the queue anew.

        Raises
        ------
        InvalidRequest
            Indexes of one's own are asked for: those of the queue belong to its schema.
        RunnerAlreadyActive
            A runner works on the project.
        """
        if custom_indexes:
            raise InvalidRequest("the indexes of the queue belong to its schema; call build_indexes() without others")
        database_upgrades.rebuild_indexes(self._opened)

    def get_trends(
        self,
        states: JobStates | FlowStates,
        interval: str = "days",
        num_intervals: int | None = None,
        interval_timezone: str = "UTC",
    ) -> Mapping[str, Mapping[JobState, int]] | Mapping[str, Mapping[FlowState, int]]:
        """How many jobs (or, with members of FlowState, flows) came to each state in each of the last intervals.

        Parameters
        ----------
        interval
            hours, days, weeks, months or years.
        num_intervals
            12, 7, 4, 12 or 3 by default.

        Returns
        -------
        ``{interval: {state: number}}``, the oldest interval first.
        """
        span = _interval(interval)
        given = [states] if isinstance(states, str) else list(states or ())
        if given and all(isinstance(state, FlowState) for state in given):
            return count_trends(self._opened, states_of(FlowState, given), span, num_intervals, interval_timezone)
        return count_trends(self._opened, states_of(JobState, given), span, num_intervals, interval_timezone)

    def backup_dump(
        self,
        dir_path: str | Path = ".",
        mongo_bin_path: str | None = None,
        compress: bool = False,
        python: bool = False,
    ) -> dict[str, int]:
        """Write the queue and its SQL job store to a folder, as they are now; return ``{table: number of rows}``.

        `mongo_bin_path` and `python` have no meaning: no other program is needed.
        """
        return dict(create_backup(self._opened, Path(dir_path), compress=compress).rows)

    def backup_restore(
        self,
        dir_path: str | Path = ".",
        mongo_bin_path: str | None = None,
        compress: bool | None = None,
        python: bool = False,
    ) -> None:
        """Put what a backup holds in the place of everything in the queue and its SQL job store.

        Raises
        ------
        RunnerAlreadyActive
            A runner works on the project.
        StoreError
            The backup is damaged; nothing was changed.
        """
        restore_backup(self._opened, Path(dir_path))

    def get_current_db_version(self) -> int:
        """Version of the schema of the database, which is that of this towline."""
        return SCHEMA_VERSION

    @staticmethod
    def generate_job_id_query(
        db_id: str | None = None, job_id: str | None = None, job_index: int | None = None
    ) -> tuple[dict[str, Any], list[tuple[str, int]] | None]:
        """Criteria for one job, and the order in which it comes first."""
        if db_id is not None:
            return {"db_id": db_id}, None
        if job_index is not None:
            return {"uuid": job_id, "index": job_index}, None
        return {"uuid": job_id}, [("db_id", -1)]


def _interval(name: str) -> Interval:
    try:
        return Interval(name)
    except ValueError as error:
        raise InvalidRequest(f"{error}; use {', '.join(item.value for item in Interval)}") from error
