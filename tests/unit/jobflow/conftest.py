"""Running flows without a queue, and comparing them with `jobflow.run_locally`."""

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jobflow import CURRENT_JOB, Flow, Job, JobStore, run_locally
from maggma.stores import MemoryStore

from towline.core.documents import encode
from towline.core.records import NewJob
from towline.jobflow.convert import flow_to_records
from towline.testing.jobflow_engine import Engine

UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def run(flow: Flow | Job | list[Job], **options: Any) -> Engine:
    """Convert and run a flow."""
    return Engine().run(flow_to_records(flow, **options).jobs)


def compared(make: Callable[[], Flow | Job | list[Job]]) -> Engine:
    """Run the same flow with towline and with jobflow, and require the same documents."""
    made = make()
    flow = made if isinstance(made, Flow) else Flow(made)
    records = flow_to_records(flow)
    known = {job.uuid.encode() for job in records.jobs} | {records.uuid.encode()}
    known |= {host.encode() for job in records.jobs for host in job.hosts}
    engine = Engine().run(records.jobs)
    stores = {name: MemoryStore() for name in ("data", "other")}
    store = JobStore(MemoryStore(), additional_stores=stores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jobflow warns of jobs that are not connected
        run_locally(flow, log=False, store=store)
    assert canonical(engine.documents, known) == canonical(list(store.query(load=False)), known)
    for name, part in stores.items():
        ours = [document for other, document in engine.additional if other == name]
        assert canonical(ours, known) == canonical(list(part.query()), known)
    return engine


def canonical(documents: list[dict[str, Any]], known: set[bytes]) -> list[bytes]:
    """Documents without what differs from run to run, in an order of their own."""
    contents = []
    for document in documents:
        document = {key: value for key, value in document.items() if key not in ("_id", "completed_at")}
        if "metadata" in document:
            document["metadata"] = {key: value for key, value in document["metadata"].items() if key != "db_id"}
        contents.append(UUID.sub(lambda match: match[0] if match[0] in known else b"?", encode(document)))
    return sorted(contents)


@pytest.fixture(autouse=True)
def unchanged_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Jobs may replace `__main__` and extend the Python path of their process, which is this one."""
    main, path = sys.modules["__main__"], list(sys.path)
    yield
    sys.modules["__main__"] = main
    sys.path[:] = path
    CURRENT_JOB.reset()


@pytest.fixture
def same_as_jobflow() -> Callable[[Callable[[], Any]], Engine]:
    return compared


@pytest.fixture
def run_flow() -> Callable[..., Engine]:
    return run


@pytest.fixture
def one_payload() -> Callable[[Job], NewJob]:
    def convert(job: Job) -> NewJob:
        (new,) = flow_to_records(job, allow_external_references=True).jobs
        return new

    return convert
