"""The job store of a project, for scripts."""

from typing import TYPE_CHECKING

from towline.configuration.choice import load_project
from towline.operations.compose import make_job_store

if TYPE_CHECKING:
    from jobflow import JobStore


def get_jobstore(project_name: str | None = None, jobstore_name: str | None = None) -> "JobStore":
    """The job store of a project, not connected.

    Parameters
    ----------
    project_name
        The chosen or only project by default.
    jobstore_name
        One of the optional job stores of the project.
    """
    return make_job_store(load_project(project_name), jobstore_name)
