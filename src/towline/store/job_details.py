"""What lists of jobs do not read: documents and parents of jobs that are chosen already."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from towline.core.records import Failure
from towline.core.states import JobState
from towline.store.database import Database
from towline.store.job_info import JobInfo, RemoteInfo
from towline.store.readiness import id_list


def with_details(database: Database, jobs: Sequence[JobInfo]) -> list[JobInfo]:
    """The same jobs with failure, metadata, stored data, parents, settings and exit record."""
    if not jobs:
        return []
    listed = id_list(job.id for job in jobs)
    rows = database.read(
        "SELECT job_document.job_id, settings, failure, stored_data, exit_record, environment FROM job_document "
        "LEFT JOIN job_outcome ON job_outcome.job_id = job_document.job_id "
        "WHERE job_document.job_id IN (SELECT value FROM json_each(?))",
        (listed,),
    )
    documents = {row[0]: [None if part is None else orjson.loads(part) for part in row[1:]] for row in rows}
    parents = parents_of(database, [job.id for job in jobs])
    return [_detailed(job, documents.get(job.id), parents.get(job.id, ())) for job in jobs]


def read_payload(database: Database, job_id: int) -> bytes:
    """The payload of a job that is in the queue."""
    payload: bytes = database.read("SELECT payload FROM job_document WHERE job_id = ?", (job_id,))[0][0]
    return payload


def read_payloads(database: Database, job_ids: Iterable[int]) -> dict[int, bytes]:
    """``{job id: payload}`` of the jobs that are in the queue."""
    rows = database.read(
        "SELECT job_id, payload FROM job_document WHERE job_id IN (SELECT value FROM json_each(?))", (id_list(job_ids),)
    )
    return {row[0]: bytes(row[1]) for row in rows}


def parents_of(database: Database, job_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """``{job id: uuids of its parents}``; jobs without parents are missing."""
    rows = database.read(
        "SELECT child_id, uuid FROM edge JOIN job ON job.id = parent_id "
        "WHERE child_id IN (SELECT value FROM json_each(?)) ORDER BY parent_id",
        (id_list(job_ids),),
    )
    parents: dict[int, tuple[str, ...]] = {}
    for child, uuid in rows:
        parents[child] = (*parents.get(child, ()), uuid)
    return parents


def _detailed_remote(job: JobInfo, why: Failure | None) -> RemoteInfo:
    if why is None:
        return job.remote
    if job.state is JobState.REMOTE_ERROR:
        return replace(job.remote, error=why.message)
    return replace(job.remote, queue_out=why.queue_out, queue_err=why.queue_err)


def _detailed(job: JobInfo, documents: Sequence[Any] | None, parents: tuple[str, ...]) -> JobInfo:
    settings, failure, stored_data, exit_record, environment = documents or ({}, None, None, None, None)
    why = None if failure is None else Failure(**failure)
    return replace(
        job,
        parents=parents,
        failure=why,
        metadata=settings.get("metadata") or {},
        stored_data=stored_data,
        hosts=tuple(settings.get("hosts") or ()),
        resources=settings.get("resources"),
        exec_config=settings.get("exec_config"),
        next_worker=settings.get("next_worker"),
        work_dir=settings.get("work_dir") or None,
        next_work_dir=settings.get("next_work_dir"),
        exit_record=exit_record,
        environment=environment,
        remote=_detailed_remote(job, why),
    )
