"""From a claimed job to what a worker is handed: the job with the outputs of its parents."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from towline.core.output_references import reachable
from towline.core.ports import Outputs
from towline.core.records import AUTOMATIC, HANDLER, Assignment, Failure, pack_job
from towline.core.run_folder import checked_work_dir, run_folder
from towline.errors import TowlineError, WorkerError
from towline.runner.deliveries import Awaited, Deliveries, Reference, files_elsewhere, with_places
from towline.runner.setup import Place, Setup
from towline.store.database import Database
from towline.store.jobs import QueuedJob


def assignment_of(job: QueuedJob, place: Place, package: bytes = b"", *, again: bool = False) -> Assignment:
    """The assignment of one attempt.

    Raises
    ------
    ConfigurationError
        The job names an exec_config that the project does not have.
    InvalidRequest
        Its work_dir is no path.
    """
    resources = job.settings.get("resources")
    run_dir = _run_dir(job, place)
    if package:
        checked_work_dir(job.settings.get("work_dir") or "")
    return Assignment(
        job_id=job.id,
        uuid=job.uuid,
        index=job.index,
        attempt=job.attempt,
        name=job.name,
        payload_kind=_kind(job),
        package=package,
        run_dir=run_dir,
        priority=job.priority,
        resources=place.resources if resources is None else resources,
        shell=place.shell(job.settings.get("exec_config")) if package else None,
        again=again,
        placed=again and job.run_dir == run_dir,
    )


#: ``(job, failure, may retry)``
Unbuilt = tuple[QueuedJob, Failure, bool]


def build(
    database: Database, setup: Setup, place: Place, claimed: Sequence[tuple[QueuedJob, bytes]], deliveries: Deliveries
) -> tuple[list[Assignment], list[Unbuilt]]:
    """Assignments for claimed jobs, and what is wrong with those that cannot be handed over.

    Jobs that use files of other workers are in neither: they join the `deliveries`.
    """
    parents = _outputs_of_parents(database, setup.outputs_of, [job for job, _ in claimed])
    assignments, failures = [], []
    for job, payload in claimed:
        try:
            found = parents[job.jobstore]
            if isinstance(found, Failure):
                failures.append((job, found, True))
                continue
            references = [(uuid, *found[uuid]) for uuid in reachable(job.settings["references"], found)]
            files = (
                files_elsewhere(database, setup.couriers, job, payload, references)
                if setup.couriers is not None and references
                else ()
            )
            if files and setup.couriers is not None:
                deliveries.add(Awaited(job, payload, tuple(references), setup.couriers.bring(files, job.worker)))
            else:
                assignments.append(_assignment(job, place, payload, references, setup.db_id_prefix))
        except TowlineError as error:
            failures.append(_unbuilt(job, error, setup.db_id_prefix))
    return assignments, failures


def build_arrived(arrived: Sequence[Awaited], place: Place, prefix: str) -> tuple[list[Assignment], list[Unbuilt]]:
    """The same for jobs of one worker whose files have arrived, or cannot come."""
    assignments, failures = [], []
    for item in arrived:
        try:
            references = with_places(item.references, item.delivery.places())
            assignments.append(_assignment(item.job, place, item.payload, references, prefix))
        except TowlineError as error:
            failures.append(_unbuilt(item.job, error, prefix))
    return assignments, failures


def _assignment(
    job: QueuedJob, place: Place, payload: bytes, references: Sequence[Reference], prefix: str
) -> Assignment:
    handling = _automatic(job).get("handling")
    package = pack_job(_header(job, place, prefix), orjson.dumps(handling) if handling else payload, references)
    return assignment_of(job, place, package)


def _unbuilt(job: QueuedJob, error: TowlineError, prefix: str) -> Unbuilt:
    failure = Failure("error", f"job {prefix}{job.id} cannot be handed over: {error}")
    return job, failure, isinstance(error, WorkerError)


def _automatic(job: QueuedJob) -> Mapping[str, Any]:
    found: Mapping[str, Any] = job.settings.get(AUTOMATIC) or {}
    return found


def _kind(job: QueuedJob) -> str:
    """What this attempt is: the work of the job, or its handler."""
    return HANDLER if "handling" in _automatic(job) else job.payload_kind


def _prelude(job: QueuedJob, resources: Mapping[str, Any]) -> dict[str, object]:
    """What happens in the process of the job before its work begins: see :mod:`towline.on_worker.prelude`."""
    prelude: dict[str, object] = {}
    if "continue" in _automatic(job):
        prelude["continue"] = _automatic(job)["continue"]
    memory = resources.get("memory_gigabytes")
    if memory is not None:
        prelude["memory_bytes"] = int(float(memory) * 1024**3)
    return prelude


def _header(job: QueuedJob, place: Place, prefix: str) -> dict[str, object]:
    own = job.settings.get("resources")
    resources = place.resources if own is None else own
    prelude = _prelude(job, resources)
    return {
        "db_id": f"{prefix}{job.id}",
        "uuid": job.uuid,
        "index": job.index,
        "attempt": job.attempt,
        "name": job.name,
        "payload_kind": _kind(job),
        "worker": job.worker,
        "priority": job.priority,
        "resources": resources,
        **({"prelude": prelude} if prelude else {}),
        "metadata": job.settings["metadata"],
        "hosts": job.settings["hosts"],
        "run_dir": _run_dir(job, place),
    }


def _run_dir(job: QueuedJob, place: Place) -> str:
    return str(Path(job.settings.get("work_dir") or place.work_dir) / run_folder(job.uuid, job.index, job.attempt))


def _outputs_of_parents(
    database: Database, outputs_of: Callable[[str | None], Outputs], jobs: Sequence[QueuedJob]
) -> dict[str | None, Mapping[str, tuple[int, bytes]] | Failure]:
    """For each job store, the outputs in it that the jobs refer to; one query per job store."""
    wanted: dict[str | None, set[str]] = {}
    for job in jobs:
        wanted.setdefault(job.jobstore, set()).update(job.settings["references"])
    found: dict[str | None, Mapping[str, tuple[int, bytes]] | Failure] = {}
    for name, uuids in wanted.items():
        try:
            found[name] = outputs_of(name).load(database.connection, sorted(uuids)) if uuids else {}
        # Any store of maggma may stand here, with the errors of its own driver; the jobs wait and are tried again.
        except Exception as error:
            found[name] = Failure(
                "error", f"the job store did not give the outputs of the parents: {type(error).__name__}: {error}"
            )
    return found
