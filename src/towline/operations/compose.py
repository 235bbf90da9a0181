"""From a project's configuration to its database, its job stores and its workers; what a runner works with stands in
:mod:`towline.operations.runner_setup`. Every command begins here, so nothing is loaded that a list does not need.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from towline.configuration.choice import load_project
from towline.configuration.job_stores import jobstore_document
from towline.configuration.model import Project
from towline.runner.wake import wake
from towline.store.database import Database

if TYPE_CHECKING:
    from jobflow import JobStore

    from towline.workers.transports.transport import Transport


@dataclass(slots=True)
class OpenProject:
    """A project with its database open."""

    project: Project
    database: Database
    _job_stores: "dict[str | None, JobStore]" = field(default_factory=dict)
    _transports: "dict[str, Transport]" = field(default_factory=dict)

    @property
    def db_id_prefix(self) -> str:
        """Text before the number in the ids of jobs."""
        return self.project.queue.db_id_prefix or ""

    def db_id(self, job_id: int) -> str:
        """The id of a job as users see it."""
        return f"{self.db_id_prefix}{job_id}"

    def job_store(self, name: str | None = None) -> "JobStore":
        """The job store of the project, or one of its optional ones, connected."""
        if name not in self._job_stores:
            store = make_job_store(self.project, name)
            store.connect()
            self._job_stores[name] = store
        return self._job_stores[name]

    def transport(self, worker: str) -> "Transport":
        """The way to a worker; the same connection as that of the runner.

        Raises
        ------
        ConfigurationError
            There is no such worker, or a value means nothing to ssh.
        """
        if worker not in self._transports:
            # Transports and schedulers take as long to load as a whole list takes to read.
            from towline.operations.workers import transport_of

            self._transports[worker] = transport_of(*self.project.worker(worker))
        return self._transports[worker]

    def wake_runner(self) -> None:
        """Tell the runner, if there is one on this machine, that the queue has changed."""
        wake(self.project.daemon_dir)

    def close(self) -> None:
        """Close the database and the job stores, and let go of connections."""
        for transport in self._transports.values():
            transport.close()
        self._transports.clear()
        for store in self._job_stores.values():
            store.close()
        self._job_stores.clear()
        self.database.close()

    def __enter__(self) -> "OpenProject":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_project(name: str | None = None, *, actor: str = "user") -> OpenProject:
    """Open a project: the named one, the chosen one, or the built-in default.

    Parameters
    ----------
    actor
        Who acts, for the journal.

    Raises
    ------
    ConfigurationError
        There is no such project, or its file is wrong.
    StoreError
        Its database cannot be opened.
    """
    return open_given(load_project(name), actor=actor)


def open_given(project: Project, *, actor: str = "user") -> OpenProject:
    """Open a project whose configuration is at hand."""
    database = Database(project.queue_place, actor=actor)
    database.db_id_prefix = project.queue.db_id_prefix or ""
    return OpenProject(project, database)


def make_job_store(project: Project, name: str | None = None) -> "JobStore":
    """The job store of a project, or one of its optional ones, not connected."""
    # maggma and jobflow take most of a second to load; only who wants outputs as objects pays for them.
    from towline.jobflow.stores import job_store_from_document

    return job_store_from_document(jobstore_document(project, name), project.queue_place, collection(name))


def collection(name: str | None) -> str:
    """Where an optional job store of type `sql` keeps its documents in the queue's database."""
    return "outputs" if name is None else f"outputs_{name}"


def is_all_sql(document: Mapping[str, Any]) -> bool:
    """Whether every part of a job store is in the queue's database."""
    parts = [document.get("docs_store"), *(document.get("additional_stores") or {}).values()]
    return "@class" not in document and all(isinstance(part, Mapping) and part.get("type") == "sql" for part in parts)
