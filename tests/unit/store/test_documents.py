"""The runner's door to the documents: outputs pass through it as they are written."""

import json

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from towline.errors import StoreError
from towline.store.database import Database
from towline.store.documents import SqlOutputs


@pytest.fixture
def database(queue_place):
    made = Database(queue_place)
    yield made
    made.close()


@pytest.fixture
def outputs():
    return SqlOutputs()


def document(uuid="u", index=1, output=b"null", name="add", **fields):
    """A document as a worker writes it, with the output as raw JSON."""
    rest = json.dumps({"completed_at": "2026-01-02", "hosts": [], "name": name, **fields}).encode()
    return b'{"uuid":"%s","index":%d,"output":%s,%s' % (uuid.encode(), index, output, rest[1:])


def store(database, outputs, *documents, additional=()):
    with database.transaction() as transaction:
        for one in documents:
            outputs.store(transaction, one, additional)


def load(database, outputs, *uuids):
    return outputs.load(database.connection, uuids)


@pytest.mark.parametrize(
    "output",
    [
        b"null",
        b"true",
        b"0",
        b"-0.0",
        b"1.50",
        b"1e5",
        b"0.1000000000000000055511151231257827",
        b"123456789012345678901234567890",
        b'""',
        '"é😀"'.encode(),
        rb'"\u0000\u00e9\ud83d\ude00\"\\\/"',
        b'"]},{"',
        b"[]",
        b"{}",
        b'[[[1,[2]],{"output":3}]]',
        b'{"output":{"output":"output"},"uuid":"x","index":7}',
        b'{"$date":"2026-01-02T00:00:00"}',
        b'{"":1,"\\u0000":2}',
    ],
    ids=repr,
)
def test_an_output_comes_back_byte_by_byte(database, outputs, output):
    store(database, outputs, document(output=output))
    assert load(database, outputs, "u") == {"u": (1, output)}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values)
def test_any_output_comes_back_byte_by_byte(database, outputs, value):
    output = orjson.dumps(value)
    store(database, outputs, document(output=output))
    assert load(database, outputs, "u")["u"] == (1, output)


def test_the_newest_index_of_each_uuid_is_loaded(database, outputs):
    store(database, outputs, *(document("u", index, b"%d" % index) for index in (2, 10, 9)), document("v", 3, b"33"))
    assert load(database, outputs, "u", "v", "missing") == {"u": (10, b"10"), "v": (3, b"33")}


def test_storing_a_document_again_replaces_it(database, outputs):
    store(database, outputs, document(output=b"1", name="a"), document(index=2, output=b"2"))
    store(database, outputs, document(output=b"3", name="b"))
    rows = database.read("SELECT uuid, job_index, name FROM document ORDER BY id")
    assert rows == [("u", 1, "b"), ("u", 2, "add")]
    store(database, outputs, document(index=2, output=b"4"))
    assert load(database, outputs, "u") == {"u": (2, b"4")}


def blob(uuid, data, **fields):
    return orjson.dumps({"@class": "", "@module": "", "blob_uuid": uuid, "data": data, "job_uuid": "u", **fields})


def reference(uuid, store="data"):
    return {"@class": "", "@module": "", "blob_uuid": uuid, "store": store}


def test_large_parts_are_put_back_where_they_were(database, outputs):
    output = {"small": 1, "big": reference("b1"), "list": [0, reference("b2", "other"), {"deep": reference("b1")}]}
    parts = [("data", blob("b1", [1.5, -0.0, {"x": 2**63}])), ("other", blob("b2", "text"))]
    store(database, outputs, document(output=orjson.dumps(output)), additional=parts)
    big = [1.5, -0.0, {"x": 2**63}]
    assert load(database, outputs, "u")["u"][1] == orjson.dumps(
        {"small": 1, "big": big, "list": [0, "text", {"deep": big}]}
    )


def test_an_output_may_be_one_large_part(database, outputs):
    store(database, outputs, document(output=orjson.dumps(reference("b"))), additional=[("data", blob("b", [1]))])
    assert load(database, outputs, "u") == {"u": (1, b"[1]")}


def test_a_large_part_that_is_gone_is_an_error_that_says_which(database, outputs):
    store(database, outputs, document(output=orjson.dumps([reference("gone", "data")])))
    with pytest.raises(StoreError, match=r"job u .*'data' has no document gone"):
        load(database, outputs, "u")


def test_what_only_looks_like_a_reference_stays(database, outputs):
    output = orjson.dumps({"blob_uuid": "x", "note": '"blob_uuid"', "inner": {"blob_uuid": None, "store": "data"}})
    store(database, outputs, document(output=output))
    assert load(database, outputs, "u") == {"u": (1, output)}


def test_outputs_that_an_output_refers_to_are_loaded_too(database, outputs):
    def refer(uuid):
        return orjson.dumps({"@module": "jobflow.core.reference", "@class": "OutputReference", "uuid": uuid})

    store(database, outputs, document("a", output=refer("b")), document("b", output=refer("c")))
    store(database, outputs, document("c", output=refer("a")), document("d"))
    assert list(load(database, outputs, "a")) == ["a", "b", "c"]


def test_collections_do_not_mix(database):
    one, two = SqlOutputs(), SqlOutputs("outputs_two")
    store(database, one, document(output=b"1"), additional=[("data", blob("b", 1))])
    store(database, two, document(output=orjson.dumps(reference("b"))), additional=[("data", blob("b", 2))])
    assert (load(database, one, "u"), load(database, two, "u")) == ({"u": (1, b"1")}, {"u": (1, b"2")})


@pytest.mark.parametrize("bad", [b"", b"{", b"NaN", b'{"uuid": 1e400}', b"[]", b'"text"', b"\xff"], ids=repr)
def test_what_is_no_json_object_is_refused_and_nothing_is_stored(database, outputs, bad):
    with pytest.raises(StoreError, match="no JSON"):
        store(database, outputs, document(), bad)
    assert database.read("SELECT count(*) FROM document") == [(0,)]


def test_a_failed_transaction_leaves_no_output(database, outputs):
    with pytest.raises(StoreError):
        store(database, outputs, document("u"), b"{", additional=[("data", blob("b", 1))])
    assert load(database, outputs, "u") == {}
    assert database.read("SELECT count(*) FROM document") == [(0,)]


@pytest.mark.parametrize("uuid", [None, 5, ["u"], {"x": 1}], ids=repr)
def test_documents_with_unusual_identities_are_kept(database, outputs, uuid):
    body = orjson.dumps({"uuid": uuid, "index": "first", "name": 2**40, "job_uuid": "u"})
    store(database, outputs, body)
    assert database.read("SELECT uuid, job_index, name, body FROM document") == [(None, None, None, body)]
