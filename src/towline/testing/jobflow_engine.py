"""An engine without a queue: runs the jobs of a flow one after the other, each through the bytes that a worker gets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from towline.core.documents import decode, encode
from towline.core.output_references import reachable
from towline.core.records import NewJob, Result, pack_job, pack_result, unpack_job, unpack_result
from towline.jobflow.payload import run_payload


def run_here(content: bytes) -> bytes:
    """Run the job in the content of a job file in this process; return the content of the result file."""
    return pack_result(run_payload(*unpack_job(content)))


@dataclass
class Queued:
    """A job in the engine."""

    new: NewJob
    parents: set[str]
    state: str = "WAITING"
    result: Result | None = None


@dataclass
class Engine:
    """Runs jobs in the order of their dependencies."""

    #: From the content of a job file to that of a result file.
    execute: Callable[[bytes], bytes] = run_here
    jobs: list[Queued] = field(default_factory=list)
    #: ``{uuid: (index, output)}``.
    outputs: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    documents: list[dict[str, Any]] = field(default_factory=list)
    additional: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    #: Uuids in the order in which they ran.
    ran: list[str] = field(default_factory=list)

    def run(self, jobs: Sequence[NewJob]) -> "Engine":
        """Run jobs, and those that they make."""
        self.jobs += [Queued(job, set(job.parents)) for job in jobs]
        while (job := next(filter(self._is_ready, self.jobs), None)) is not None:
            self._run(job)
        return self

    def result(self, uuid: str, index: int = 1) -> Result:
        """What came of a job that ran."""
        return next(job.result for job in self.jobs if (job.new.uuid, job.new.index) == (uuid, index) and job.result)

    def state(self, uuid: str) -> str:
        """State of the newest index of a job."""
        return self._newest(uuid).state

    def output(self, uuid: str) -> Any:
        """Output of the newest index of a job."""
        return decode(self.outputs[uuid][1])

    def _newest(self, uuid: str) -> Queued:
        return max((job for job in self.jobs if job.new.uuid == uuid), key=lambda job: job.new.index)

    def _is_ready(self, job: Queued) -> bool:
        accepted = {"COMPLETED", "FAILED"} if job.new.accepts_failed_parents else {"COMPLETED"}
        known = {other.new.uuid for other in self.jobs}
        return job.state == "WAITING" and all(self._newest(uuid).state in accepted for uuid in job.parents & known)

    def _run(self, job: Queued) -> None:
        new = job.new
        references = [(uuid, *self.outputs[uuid]) for uuid in reachable(new.references, self.outputs)]
        header = {
            "db_id": f"{len(self.ran) + 1}",
            "uuid": new.uuid,
            "index": new.index,
            "resources": {"nodes": 1},
        }
        result = unpack_result(self.execute(pack_job(header, new.payload, references)))
        self.ran.append(new.uuid)
        job.result, job.state = result, "COMPLETED" if result.failure is None else "FAILED"
        if result.output is not None and result.failure is None:
            self._store(result)
        self._respond(job, result)

    def _store(self, result: Result) -> None:
        document = decode(result.output or b"")
        self.documents.append(document)
        parts = {decode(part)["blob_uuid"]: decode(part)["data"] for _, part in result.additional}
        self.additional += [(name, decode(part)) for name, part in result.additional]
        self.outputs[document["uuid"]] = (document["index"], encode(_put_back(document["output"], parts)))

    def _respond(self, job: Queued, result: Result) -> None:
        uuid = job.new.uuid
        children = [other for other in self.jobs if uuid in other.parents]
        self.jobs += [Queued(new, set(new.parents)) for new in result.replace]
        for new in (*result.addition, *result.detour):
            self.jobs.append(Queued(new, {*new.parents, uuid} if not new.parents else set(new.parents)))
        inner = {parent for new in result.detour for parent in new.parents}
        for child in children:
            child.parents |= {new.uuid for new in result.detour} - inner
            if result.stop_children:
                child.state = "STOPPED"
        if result.stop_jobflow:
            for other in self.jobs:
                other.state = "STOPPED" if other.state == "WAITING" else other.state


def _put_back(value: Any, parts: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if value.get("blob_uuid") in parts:
            return parts[value["blob_uuid"]]
        return {key: _put_back(item, parts) for key, item in value.items()}
    return [_put_back(item, parts) for item in value] if isinstance(value, list) else value
