"""jobflow on the SQL store: the same results as on MemoryStores."""

import pytest
from jobflow import Flow, JobStore, OnMissing, OutputReference, Response, job, run_locally
from maggma.stores import MemoryStore
from pydantic import BaseModel

from towline.store.database import Database
from towline.store.documents import SqlOutputs
from towline.store.job_store import SQLStore, sql_job_store


def memory_job_store(**options):
    return JobStore(MemoryStore(), additional_stores={"data": MemoryStore()}, **options)


@pytest.fixture(params=["memory", "sql"])
def store(request, queue_place):
    made = memory_job_store() if request.param == "memory" else sql_job_store(queue_place)
    made.connect()
    yield made
    made.close()


def output_document(uuid="u", index=1, output=None, **fields):
    return {"uuid": uuid, "index": index, "output": output, "completed_at": "now", "name": "n", **fields}


def test_large_parts_go_to_the_additional_store_and_come_back(store):
    store.update(output_document(output={"small": 1, "big": [1, 2]}), save={"data": "big"})
    raw = store.query_one({"uuid": "u"}, load=False)["output"]
    assert raw["small"] == 1
    assert raw["big"]["store"] == "data"
    assert store.additional_stores["data"].count() == 1
    assert store.query_one({"uuid": "u"}, load=True)["output"] == {"small": 1, "big": [1, 2]}
    assert store.query_one({"uuid": "u"}, load={"data": "big"})["output"]["big"] == [1, 2]
    assert store.additional_stores["data"].query_one({"job_uuid": "u", "job_index": 1})["data"] == [1, 2]


def test_documents_are_removed_with_their_large_parts(store):
    for uuid in ("u", "v"):
        store.update(output_document(uuid, output={"big": 1}), save={"data": ["big"]})
    store.remove_docs({"uuid": "u"})
    assert store.count() == 1
    assert [blob["job_uuid"] for blob in store.additional_stores["data"].query()] == ["v"]


def test_get_output_gives_the_last_the_first_or_all(store):
    store.update([output_document(index=index, output=index * 10) for index in (2, 10, 9)])
    assert store.get_output("u") == 100
    assert store.get_output("u", which="first") == 20
    assert store.get_output("u", which=9) == 90
    assert store.get_output("u", which="all") == [20, 90, 100]
    with pytest.raises(ValueError, match="has no outputs"):
        store.get_output("v")
    with pytest.raises(ValueError, match="index: 5"):
        store.get_output("u", which=5)


def test_references_inside_outputs_are_resolved(store):
    store.update(output_document("v", output={"x": [1, 2]}))
    reference = OutputReference("v").x[1]
    store.update(output_document("u", output={"inner": reference}))
    assert store.get_output("u") == {"inner": 2}
    store.update(output_document("w", output=OutputReference("gone")))
    assert store.get_output("w", on_missing=OnMissing.NONE) is None
    with pytest.raises(ValueError, match="gone"):
        store.get_output("w")


def test_query_groupby_and_count_go_through_the_job_store(store):
    store.update([output_document(str(n), output=n, name=f"n{n % 2}") for n in range(4)])
    assert store.count({"name": "n1"}) == 2
    found = {key["name"]: [d["output"] for d in group] for key, group in store.groupby("name", properties=["output"])}
    assert found == {"n0": [0, 2], "n1": [1, 3]}
    assert [d["output"] for d in store.query(sort={"output": -1}, limit=2)] == [3, 2]
    assert store.ensure_index("name")


class Point(BaseModel):
    x: float
    history: list[float]


@job
def point(x):
    return Point(x=x, history=[x] * 3)


@job
def total(points):
    return {"sum": sum(points), "trajectory": list(range(5))}


@job
def split(number):
    parts = [point(n) for n in range(number)]
    return Response(replace=Flow([*parts, last := total([part.output.x for part in parts])], output=last.output))


@job(data="trajectory")
def with_data(number):
    return {"trajectory": list(range(number)), "number": number}


@job
def length(trajectory):
    return len(trajectory)


def make_flow():
    first = point(2.5)
    second = total([first.output.x, first.output.history[1]])
    many = split(3)
    large = with_data(100)
    after = length(large.output["trajectory"])
    return Flow([first, second, many, total([many.output["sum"], second.output["sum"]]), large, after])


def test_a_flow_gives_the_same_results_as_with_memory_stores(queue_place):
    flow = make_flow()
    results = []
    for made in (memory_job_store(), sql_job_store(queue_place)):
        responses = run_locally(flow, store=made, ensure_success=True, log=False)
        outputs = {
            (document["uuid"], document["index"]): document["output"]
            for document in made.query({"uuid": {"$in": flow.job_uuids}}, load=True)
        }
        made.close()
        results.append((outputs, {uuid: sorted(found) for uuid, found in responses.items() if uuid in flow.job_uuids}))
    (memory, memory_responses), (sql, sql_responses) = results
    assert sql_responses == memory_responses
    assert len(sql) == 7
    # The parts of the replaced job have other uuids in each run.
    same = [key for key in memory if key[0] != flow.jobs[2].uuid]
    assert {key: sql[key] for key in same} == {key: memory[key] for key in same}
    assert sql[(flow.jobs[3].uuid, 1)]["sum"] == 3 + 5


def test_what_the_runner_stored_is_read_by_the_job_store_and_the_other_way_round(queue_place):
    database, outputs = Database(queue_place), SqlOutputs()
    made = sql_job_store(queue_place)
    made.connect()
    made.update(output_document("u", output={"big": [1, 2], "x": 1}), save={"data": "big"})
    assert outputs.load(database.connection, ["u"]) == {"u": (1, b'{"big":[1,2],"x":1}')}
    (body,) = database.read("SELECT body FROM document WHERE collection = 'outputs'")[0]
    blob = database.read("SELECT body FROM document WHERE collection = 'outputs.data'")[0][0]
    with database.transaction() as transaction:
        outputs.store(transaction, body.replace(b'"u"', b'"v"'), [("data", blob)])
    assert made.get_output("v", load=True) == {"big": [1, 2], "x": 1}
    assert made.additional_stores["data"].count() == 1
    made.close()
    database.close()


def test_the_store_is_found_by_its_name_in_a_configuration(tmp_path):
    spec = {"docs_store": {"type": "SQLStore", "path": str(tmp_path / "p.db")}}
    made = JobStore.from_dict_spec(spec)
    assert made.docs_store == SQLStore(tmp_path / "p.db", "outputs")


def test_names_of_additional_stores_are_free(queue_place):
    made = sql_job_store(queue_place, "results", additional=("data", "big files"))
    assert {name: part.collection for name, part in made.additional_stores.items()} == {
        "data": "results.data",
        "big files": "results.big files",
    }
    with made:
        made.update(output_document(output={"a": 1}), save={"big files": "a"})
        assert made.get_output("u", load=True) == {"a": 1}
