"""A job as a mapping, with the keys that jobflow-remote stores."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from towline.core.documents import decode
from towline.store.job_details import read_payload
from towline.store.job_info import JobInfo

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


def job_record(opened: "OpenProject", job: JobInfo) -> dict[str, Any]:
    """A job that was loaded with its details.

    `job` in it is the work as the queue stores it: what was submitted, as JSON.
    """
    payload = decode(read_payload(opened.database, job.id))
    work = payload.get("job", payload) if job.payload_kind == "jobflow" else payload
    facts = {"name": job.name, "uuid": job.uuid, "index": job.index, "metadata": dict(job.metadata)}
    return {
        "uuid": job.uuid,
        "index": job.index,
        "db_id": job.db_id,
        "worker": job.worker,
        "state": job.state.value,
        "job": {**work, **facts, "hosts": list(job.hosts)},
        "remote": asdict(job.remote),
        "parents": list(job.parents),
        "previous_state": None if job.previous_state is None else job.previous_state.value,
        "error": job.error,
        "lock_id": job.lock_id,
        "lock_time": job.lock_time,
        "run_dir": job.run_dir,
        "start_time": job.start_time,
        "end_time": job.end_time,
        "created_on": job.created_on,
        "updated_on": job.updated_on,
        "priority": job.priority,
        "exec_config": job.exec_config,
        "resources": job.resources,
        "stored_data": job.stored_data,
    }
