"""A job store of maggma as the runner uses it."""

from typing import Any

import pytest
from jobflow import JobStore, OutputReference
from maggma.stores import MemoryStore

from towline.core.documents import decode, encode
from towline.errors import ConfigurationError, StoreError
from towline.jobflow.convert import flow_to_records
from towline.jobflow.outputs import MaggmaOutputs
from towline.testing import jobflow_samples as samples
from towline.testing.jobflow_engine import Engine


@pytest.fixture
def job_store() -> JobStore:
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore(), "other": MemoryStore()})
    store.connect()
    return store


def stored(job_store: JobStore, uuid: str, index: int, output: Any) -> None:
    document = {"uuid": uuid, "index": index, "output": output, "metadata": {}}
    MaggmaOutputs(job_store).store(None, encode(document), [])


def test_the_newest_index_of_each_job_is_loaded(job_store: JobStore) -> None:
    for index in (2, 10, 1):
        stored(job_store, "a", index, {"index": index})
    stored(job_store, "b", 1, [1, None])
    found = MaggmaOutputs(job_store).load(None, ["a", "b", "missing"])
    assert {uuid: (index, decode(output)) for uuid, (index, output) in found.items()} == {
        "a": (10, {"index": 10}),
        "b": (1, [1, None]),
    }
    assert MaggmaOutputs(job_store).load(None, ["missing"]) == {}
    assert MaggmaOutputs(job_store).load(None, []) == {}


def test_storing_again_replaces(job_store: JobStore) -> None:
    stored(job_store, "a", 1, 1)
    stored(job_store, "a", 1, 2)
    assert job_store.count() == 1
    assert job_store.get_output("a") == 2


def test_outputs_that_outputs_refer_to_are_loaded_too(job_store: JobStore) -> None:
    for uuid, target in (("a", "b"), ("b", "c"), ("c", "missing")):
        stored(job_store, uuid, 1, {"next": [OutputReference(target)["x"].as_dict()]})
    found = MaggmaOutputs(job_store).load(None, ["a"])
    assert set(found) == {"a", "b", "c"}


def test_large_parts_go_to_their_store_and_come_back(job_store: JobStore) -> None:
    outputs = MaggmaOutputs(job_store)
    jobs = [samples.with_additional(), samples.with_additional_class(), samples.rich_output()]
    engine = Engine().run(flow_to_records(jobs).jobs)
    for job in jobs:
        result = engine.result(job.uuid)
        assert result.output is not None
        outputs.store(None, result.output, result.additional)
    assert job_store.get_output(jobs[0].uuid, load=True)["array"] == [1, 2, 3]
    assert "blob_uuid" in job_store.get_output(jobs[0].uuid)["array"]
    assert job_store.additional_stores["data"].count() == 1
    found = outputs.load(None, [job.uuid for job in jobs])
    assert {uuid: decode(output) for uuid, (_, output) in found.items()}.keys() == {job.uuid for job in jobs}
    for job in jobs:
        assert repr(decode(found[job.uuid][1])) == repr(engine.output(job.uuid))


def test_an_additional_store_that_is_missing_is_named(job_store: JobStore) -> None:
    with pytest.raises(ConfigurationError, match=r"no additional store 'big' \(it has data, other\)"):
        MaggmaOutputs(job_store).store(None, b"{}", [("big", b"{}")])


def test_errors_of_the_driver_become_ours(job_store: JobStore) -> None:
    class Broken(MemoryStore):
        def query(self, *arguments: Any, **keywords: Any) -> Any:
            raise OSError("no route to host")

        update = query

    outputs = MaggmaOutputs(JobStore(Broken()))
    with pytest.raises(StoreError, match="cannot be read: OSError: no route to host"):
        outputs.load(None, ["a"])
    with pytest.raises(StoreError, match="cannot be written: OSError"):
        outputs.store(None, b"{}", [])
