"""A job that tells whether a Python can run jobs at all."""

from jobflow import job

from towline.core.records import NewJob
from towline.jobflow.convert import flow_to_records


def trial_job() -> NewJob:
    """A job of the standard library, which needs jobflow and towline where it runs, and no code of the user."""
    return flow_to_records(job(abs)(-1)).jobs[0]
