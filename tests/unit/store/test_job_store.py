"""The SQL store against maggma's MemoryStore: the same calls give the same answers."""

import pickle
import threading
from datetime import UTC, datetime

import numpy as np
import pytest
from bson.objectid import ObjectId
from maggma.core import Sort, StoreError
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, jsanitize

from towline.errors import InvalidCriteria, InvalidRequest
from towline.store.job_store import SQLStore


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request, tmp_path):
    if request.param == "memory":
        yield from connected(MemoryStore(key="task"))
    elif request.param == "sqlite":
        yield from connected(SQLStore(tmp_path / "p.db", "things", key="task"))
    else:
        with request.getfixturevalue("postgresql").schema() as url:
            yield from connected(SQLStore(url, "things", key="task"))


def connected(made):
    made.connect()
    yield made
    made.close()


@pytest.fixture
def sql_store(queue_place):
    with SQLStore(queue_place) as made:
        yield made


DOCUMENTS = [
    {"task": 1, "a": 5, "b": {"c": "x", "d": [1, 2]}, "tags": ["p", "q"]},
    {"task": 2, "a": 3, "b": {"c": "y"}, "tags": []},
    {"task": 3, "b": {"c": "x", "d": [2, 3]}, "e": [{"f": 1, "g": 2}, {"f": 3}]},
    {"task": 4, "a": 3, "b": 7},
]


def plain(documents):
    return [{name: value for name, value in document.items() if name != "_id"} for document in documents]


def tasks(documents):
    return [document["task"] for document in documents]


def test_documents_come_back_as_they_were_stored(store):
    store.update(DOCUMENTS)
    assert plain(store.query()) == DOCUMENTS


def test_values_that_json_has_no_words_for_come_back(store):
    document = {
        "task": 1,
        "time": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "naive": datetime(2026, 1, 2),
        "id": ObjectId("0123456789abcdef01234567"),
        "bytes": b"\x00\xff",
        "infinite": [float("inf"), -float("inf")],
        "nan": float("nan"),
        "text": "\0 é 😀 \u2028",
        "numbers": [0.1, -0.0, 1e300, 2**62, 5e-324],
        "array": np.arange(3),
        5: "key",
        "none": None,
    }
    store.update(document)
    (found,) = plain(store.query())
    nan = found.pop("nan")
    assert nan != nan
    assert found == {
        "task": 1,
        "time": datetime(2026, 1, 2, 3, 4, 5, 678000),
        "naive": datetime(2026, 1, 2),
        "id": ObjectId("0123456789abcdef01234567"),
        "bytes": b"\x00\xff",
        "infinite": [float("inf"), -float("inf")],
        "text": "\0 é 😀 \u2028",
        "numbers": [0.1, -0.0, 1e300, 2**62, 5e-324],
        "array": [0, 1, 2],
        "5": "key",
        "none": None,
    }


def test_every_document_has_an_id_that_stays(store):
    store.update(DOCUMENTS)
    before = {document["task"]: document["_id"] for document in store.query()}
    store.update({"task": 2, "a": 99})
    assert {document["task"]: document["_id"] for document in store.query()} == before
    assert len(set(before.values())) == 4
    assert tasks(store.query({"_id": before[3]})) == [3]
    assert store.query_one({"task": 1}, {"_id": 0, "a": 1}) == {"a": 5}


def test_update_replaces_the_document_with_the_same_key_where_it_is(store):
    store.update(DOCUMENTS)
    store.update([{"task": 2, "new": True}, {"task": 9}])
    assert plain(store.query()) == [DOCUMENTS[0], {"task": 2, "new": True}, *DOCUMENTS[2:], {"task": 9}]


def test_update_with_several_keys_replaces_only_where_all_agree(store):
    store.update([{"uuid": "u", "index": 1, "v": 1}, {"uuid": "u", "index": 2, "v": 1}], key=["uuid", "index"])
    store.update({"uuid": "u", "index": 2, "v": 2}, key=["uuid", "index"])
    assert plain(store.query()) == [{"uuid": "u", "index": 1, "v": 1}, {"uuid": "u", "index": 2, "v": 2}]


def test_update_with_a_key_that_several_documents_have_replaces_the_first(store):
    store.update([{"task": 1, "g": 1}, {"task": 2, "g": 1}])
    store.update({"task": 3, "g": 1}, key="g")
    assert tasks(store.query()) == [3, 2]


def test_a_document_without_the_key_is_refused_and_none_is_stored(store):
    with pytest.raises(KeyError, match="task"):
        store.update([{"task": 1}, {"a": 1}])
    assert store.count() == 0


def test_the_key_may_hold_any_value(store):
    for value in (None, 3, 2.5, True, "text", "", "with 'quotes\"", [1, "x"], {"a": 1}, datetime(2026, 1, 2)):
        store.update({"task": value, "v": 1})
        store.update({"task": value, "v": 2})
    assert [document["v"] for document in store.query()] == [2] * 10


def test_an_update_of_nothing_does_nothing(store):
    store.update([])
    assert store.count() == 0


def test_the_documents_of_the_caller_stay_as_they_were(store):
    document = {"task": 1, "nested": {"tuple": (1, 2)}}
    store.update(document)
    assert document == {"task": 1, "nested": {"tuple": (1, 2)}}
    found = store.query_one()
    found["nested"]["tuple"].append(3)
    assert store.query_one()["nested"] == {"tuple": [1, 2]}


def test_count_counts_what_query_gives(store):
    store.update(DOCUMENTS)
    assert store.count() == 4
    assert store.count({}) == 4
    assert store.count({"a": 3}) == 2
    assert store.count({"b.c": "x"}) == 2


def test_query_one_gives_the_first_document_or_none(store):
    store.update(DOCUMENTS)
    assert store.query_one({"a": 3})["task"] == 2
    assert store.query_one({"a": 3}, sort={"task": -1})["task"] == 4
    assert store.query_one({"a": 99}) is None


@pytest.mark.parametrize(
    "properties",
    [
        ["a"],
        ["a", "b.c"],
        ["b.d", "missing"],
        ["e.f"],
        ["_id"],
        [],
        {"a": 1, "_id": 0},
        {"a": True, "tags": True},
        {"a": 0},
        {"b.c": 0, "_id": 0},
        {"_id": 0},
        {"_id": 1},
        {"_id": 1, "a": 1},
        {"e.f": 0},
        {"tags": False, "e": False},
        None,
    ],
    ids=str,
)
def test_properties_choose_the_same_fields(properties, tmp_path):
    documents = [{**document, "b": document["b"] if isinstance(document["b"], dict) else {}} for document in DOCUMENTS]
    stores = [MemoryStore(key="task"), SQLStore(tmp_path / "p.db", key="task")]
    answers = []
    for store in stores:
        store.connect()
        store.update(documents)
        found = list(store.query(properties=properties))
        answers.append([("_id" in document, plain([document])[0]) for document in found])
        store.close()
    assert answers[0] == answers[1]


def test_a_scalar_has_no_field_to_include_and_none_to_exclude(sql_store):
    sql_store.update({"uuid": "u", "b": 7, "e": [1, {"f": 2, "g": 3}]})
    assert sql_store.query_one(properties={"b.c": 1, "e.f": 1, "_id": 0}) == {"e": [{"f": 2}]}
    assert sql_store.query_one(properties={"b.c": 0, "e.f": 0, "_id": 0}) == {"uuid": "u", "b": 7, "e": [1, {"g": 3}]}


@pytest.mark.parametrize(
    "properties",
    [{"a": 1, "b": 0}, ["a", "a.b"], {"a": {"$slice": 1}}, {"a": "$b"}, ["a..b"], ["$a"], "a", 5],
    ids=str,
)
def test_properties_that_make_no_sense_are_refused(properties, sql_store):
    with pytest.raises(InvalidCriteria):
        sql_store.query(properties=properties)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ({"a": 1}, [3, 2, 4, 1]),
        ({"a": -1}, [1, 2, 4, 3]),
        ({"a": Sort.Descending}, [1, 2, 4, 3]),
        ({"a": 1, "task": -1}, [3, 4, 2, 1]),
        ({"b.c": -1, "task": 1}, [2, 1, 3, 4]),
        ({"missing": 1}, [1, 2, 3, 4]),
        ({}, [1, 2, 3, 4]),
    ],
    ids=str,
)
def test_sort_goes_by_each_key_and_keeps_the_order_of_equals(store, sort, order):
    store.update(DOCUMENTS)
    assert tasks(store.query(sort=sort)) == order
    assert tasks(store.query(sort=sort, skip=1, limit=2)) == order[1:3]


def test_values_of_all_kinds_sort_in_the_order_of_mongodb(store):
    ordered = [
        None,
        -1,
        0.5,
        2,
        10**18,
        "",
        "B",
        "a",
        {"x": 1},
        {"x": 2},
        b"a",
        b"zz",
        False,
        True,
        datetime(2026, 1, 2),
    ]
    shuffled = [ordered[number] for number in (7, 3, 14, 0, 12, 5, 9, 1, 11, 4, 2, 13, 6, 10, 8)]
    store.update([{"task": number, "v": value} for number, value in enumerate(shuffled)])
    assert [document["v"] for document in store.query(sort={"v": 1})] == ordered
    assert [document["v"] for document in store.query(sort={"v": -1})] == ordered[::-1]


def test_an_array_sorts_by_its_smallest_element_and_descending_by_its_largest(sql_store):
    # MemoryStore takes the first element.
    sql_store.update([{"uuid": str(v), "v": v} for v in ([5, 1], [2, 3], [], None)])
    assert [document["v"] for document in sql_store.query(sort={"v": 1})] == [[], None, [5, 1], [2, 3]]
    assert [document["v"] for document in sql_store.query(sort={"v": -1})] == [[5, 1], [2, 3], None, []]


def test_skip_and_limit_cut_out_a_part(store):
    store.update(DOCUMENTS)
    assert tasks(store.query(skip=1, limit=2)) == [2, 3]
    assert tasks(store.query(skip=3)) == [4]
    assert tasks(store.query(skip=9)) == []
    assert tasks(store.query(limit=9)) == [1, 2, 3, 4]
    assert tasks(store.query({"a": 3}, skip=1, limit=1)) == [4]


@pytest.mark.parametrize(
    "arguments",
    [{"skip": -1}, {"limit": -2}, {"limit": "x"}, {"sort": {"a": 2}}, {"sort": [("a", 1)]}, {"sort": {"$a": 1}}],
)
def test_arguments_that_make_no_sense_are_refused(arguments, sql_store):
    with pytest.raises(InvalidCriteria):
        sql_store.query(**arguments)


def test_distinct_gives_each_value_once(store):
    store.update(DOCUMENTS)
    assert sorted(store.distinct("a")) == [3, 5]
    assert sorted(store.distinct("tags")) == ["p", "q"]
    assert sorted(store.distinct("b.c", {"a": {"$exists": True}})) == ["x", "y"]
    assert sorted(store.distinct("e.f")) == [1, 3]
    assert store.distinct("missing") == []
    store.update({"task": 8, "a": None})
    assert None in store.distinct("a")


def test_distinct_gives_documents_too(store):
    store.update([{"task": number, "v": {"x": number % 2}} for number in range(4)])
    assert sorted(store.distinct("v"), key=str) == [{"x": 0}, {"x": 1}]


def test_groupby_gives_the_documents_of_each_value(store):
    store.update([{"task": n, "g": n % 2, "h": {"i": "x" if n < 3 else "y"}, "v": n} for n in range(5)] + [{"task": 9}])
    found = [(key, tasks(group)) for key, group in store.groupby("g", properties=["task"])]
    assert found == [({"g": 0}, [0, 2, 4]), ({"g": 1}, [1, 3])]
    found = [(key, tasks(group)) for key, group in store.groupby(["h.i", "g"], {"v": {"$gt": 0}}, {"task": 1})]
    assert found == [
        ({"h": {"i": "x"}, "g": 0}, [2]),
        ({"h": {"i": "x"}, "g": 1}, [1]),
        ({"h": {"i": "y"}, "g": 0}, [4]),
        ({"h": {"i": "y"}, "g": 1}, [3]),
    ]
    assert [plain(group) for _, group in store.groupby("g")] == [[{"g": 0}] * 3, [{"g": 1}] * 2]


def test_groupby_puts_values_of_all_kinds_into_groups(sql_store):
    # MemoryStore cannot sort them.
    sql_store.update([{"uuid": str(n), "g": g} for n, g in enumerate(["x", 1, None, {"y": 1}, 1.0, True])])
    assert [len(group) for _, group in sql_store.groupby("g")] == [1, 2, 1, 1, 1]
    assert [key["g"] for key, _ in sql_store.groupby("g", sort={"uuid": -1}, limit=2)] == [1.0, True]


def test_remove_docs_removes_what_the_criteria_select(store):
    store.update(DOCUMENTS)
    store.remove_docs({"a": 3})
    assert tasks(store.query()) == [1, 3]
    store.remove_docs({})
    assert store.count() == 0


def test_everything_is_removed_only_by_saying_so(sql_store):
    sql_store.update({"uuid": "u"})
    for criteria in (None, [], ""):
        with pytest.raises(InvalidCriteria):
            sql_store.remove_docs(criteria)
    assert sql_store.count() == 1


def test_an_index_changes_no_answer(store):
    store.update(DOCUMENTS)
    criteria = [{"a": 3}, {"b.c": "x"}, {"b.d": 2}, {"a": {"$gt": 3}}, {"a": None}, {"b": 7}, {"b": {"c": "y"}}]
    before = [tasks(store.query(one)) for one in criteria]
    assert all(store.ensure_index(path) for path in ("a", "b", "b.c", "b.d", "task", "a"))
    store.update({"task": 5, "a": 3, "b": {"c": ["x"]}})
    after = [tasks(store.query(one)) for one in criteria]
    assert after == [before[0] + [5], before[1] + [5], *before[2:]]


def test_an_index_of_sqlite_is_used_for_plain_values(tmp_path):
    sql_store = SQLStore(tmp_path / "p.db")
    sql_store.connect()
    sql_store.update([{"uuid": str(n), "output": {"n": n}} for n in range(50)])
    assert sql_store.ensure_index("output.n")
    database = sql_store._collection._database
    seen = []
    database.connection.set_trace_callback(seen.append)
    assert sql_store.count({"output.n": {"$gt": 40, "$lte": 42}}) == 2
    database.connection.set_trace_callback(None)
    plans = [row[3] for row in database.read("EXPLAIN QUERY PLAN " + seen[0]) if row[3].startswith("SEARCH")]
    assert plans
    assert all("document of outputs by output.n" in plan for plan in plans)
    sql_store.close()


def test_an_index_of_postgresql_is_used_for_plain_values(postgresql):
    with postgresql.schema() as url, SQLStore(url) as sql_store:
        sql_store.update([{"uuid": str(n), "output": {"n": n, "s": "x" * n}} for n in range(1000)])
        assert sql_store.ensure_index("output.n")
        assert sql_store.ensure_index("output.s")
        assert sql_store.count({"output.n": 40}) == 1
        assert sql_store.count({"output.s": "x" * 900}) == 1
        database = sql_store._collection._database
        database.connection.execute("ANALYZE document")
        (name,) = [name for name in sql_store._collection._fields if name == "output.n"]
        field = sql_store._collection._fields[name]
        plan = database.read(
            f"EXPLAIN SELECT id FROM document WHERE collection = 'outputs' AND {field.expression} = 'n40'"
        )
        assert any("document of outputs by output.n" in line for (line,) in plan)


def test_there_is_no_index_for_unusual_names_and_no_unique_one(sql_store):
    assert not sql_store.ensure_index("a.0")
    assert not sql_store.ensure_index('a"b')
    assert not sql_store.ensure_index("größe")
    assert not sql_store.ensure_index("a", unique=True)
    with pytest.raises(InvalidCriteria):
        sql_store.ensure_index("$a")


@pytest.mark.parametrize("field", ["größe", 'a"b', "a'b", "a b", "a\\b", "0", "ключ", "😀"])
def test_fields_may_have_any_name(store, field):
    store.update([{"task": 1, field: {"x": 3}}, {"task": 2, field: 5}])
    store.ensure_index(field)
    assert tasks(store.query({field: 5})) == [2]
    assert tasks(store.query({f"{field}.x": 3})) == [1]
    assert plain(store.query({"task": 2}, [field])) == [{field: 5}]


def test_a_field_with_a_dollar_sign_is_refused(sql_store):
    with pytest.raises(InvalidRequest, match=r"\$set"):
        sql_store.update({"uuid": "u", "$set": 1})
    # Deeper ones are kept, also those that look like the way in which times are written.
    sql_store.update({"uuid": "u", "output": {"$date": "2026", "x": [{"$oid": 5}]}})
    assert sql_store.query_one()["output"] == {"$date": "2026", "x": [{"$oid": 5}]}


def test_an_integer_of_any_size_comes_back(sql_store):
    # MongoDB refuses more than 64 bits.
    sql_store.update({"uuid": "u", "n": [2**63, 2**64, -(2**100)]})
    assert sql_store.query_one()["n"] == [2**63, 2**64, -(2**100)]
    assert sql_store.count({"n": 2**64}) == 1


def test_two_collections_of_one_database_do_not_see_each_other(queue_place):
    with SQLStore(queue_place, "is it's one?") as one, SQLStore(queue_place, "two") as two:
        one.update({"uuid": "u", "v": 1})
        two.update({"uuid": "u", "v": 2})
        one.ensure_index("v")
        assert [document["v"] for document in one.query({"v": {"$gt": 0}})] == [1]
        two.remove_docs({})
        assert (one.count(), two.count()) == (1, 0)


def test_a_store_that_is_not_connected_says_so(tmp_path):
    for made in (MemoryStore(), SQLStore(tmp_path / "p.db")):
        with pytest.raises(StoreError, match="connect"):
            list(made.query())
    made.connect()
    made.close()
    made.close()
    with pytest.raises(StoreError, match="connect"):
        made.count()
    made.connect(force_reset=True)
    made.connect(force_reset=True)
    assert made.count() == 0
    made.close()


def test_a_store_survives_serialization(tmp_path):
    made = SQLStore(tmp_path / "p.db", "outputs.data", key="blob_uuid", last_updated_field="when")
    with made:
        made.update({"blob_uuid": "b", "data": 1})
    copies = [
        SQLStore.from_dict(made.as_dict()),
        MontyDecoder().process_decoded(jsanitize(made.as_dict())),
        pickle.loads(pickle.dumps(made)),
    ]
    for copy in copies:
        assert copy == made
        assert hash(copy) == hash(made)
        assert (copy.key, copy.last_updated_field, copy.collection) == ("blob_uuid", "when", "outputs.data")
        with copy:
            assert copy.query_one()["data"] == 1
    assert made != SQLStore(tmp_path / "p.db", "outputs")
    assert made != "store"
    assert made.name == f"sql://{tmp_path}/p.db/outputs.data"


def test_the_newest_documents_are_found_by_their_times(store):
    times = [datetime(2026, 1, day) for day in (1, 3, 2)]
    store.update([{"task": n, "last_updated": time} for n, time in enumerate(times)])
    assert store.last_updated == datetime(2026, 1, 3)
    target = MemoryStore(key="task")
    target.connect()
    target.update(
        [{"task": 1, "last_updated": datetime(2026, 1, 3)}, {"task": 7, "last_updated": datetime(2026, 1, 9)}]
    )
    assert store.newer_in(target) == [7]
    assert sorted(target.newer_in(store, exhaustive=True)) == [0, 2]


class StrictOrNot:
    """maggma asks a validator for these."""

    def __init__(self, strict):
        self.strict = strict

    def is_valid(self, document):
        return "bad" not in document

    def validation_errors(self, document):
        return [f"{document['task']} is bad"]


def test_a_validator_keeps_documents_out(store):
    store.validator = StrictOrNot(strict=False)
    store.update([{"task": 1}, {"task": 2, "bad": 1}])
    assert tasks(store.query()) == [1]
    store.validator = StrictOrNot(strict=True)
    with pytest.raises(ValueError, match="3 is bad"):
        store.update([{"task": 4}, {"task": 3, "bad": 1}])
    assert tasks(store.query()) == [1]


def test_documents_may_be_changed_while_they_are_read(store):
    store.update([{"task": n, "v": 0} for n in range(100)])
    seen = []
    for document in store.query({"v": 0}):
        seen.append(document["task"])
        store.update({"task": document["task"] + 1000, "v": 0})
    assert seen == list(range(100))
    assert store.count() == 200


def test_removed_while_reading_documents_are_left_out(sql_store):
    sql_store.update([{"uuid": str(n), "n": n} for n in range(100)])
    found = sql_store.query(sort={"n": -1})
    assert next(found)["n"] == 99
    sql_store.remove_docs({"n": {"$lt": 99}})
    assert len(list(found)) <= 99
    assert sql_store.count() == 1


def test_large_documents_are_read_a_few_at_a_time(sql_store):
    large = "x" * 3_000_000
    sql_store.update([{"uuid": str(n), "n": n, "output": large} for n in range(20)])
    sizes = []
    read = sql_store._collection._database.read
    sql_store._collection._database.read = lambda *a: sizes.append(len(rows := read(*a))) or rows
    assert [document["n"] for document in sql_store.query()] == list(range(20))
    assert sizes == [20, 4] + [1] * 16


def test_threads_may_share_a_store(sql_store):
    failures = []

    def work(name):
        try:
            for n in range(20):
                sql_store.update({"uuid": f"{name}-{n}", "name": name})
                assert sql_store.count({"uuid": f"{name}-{n}"}) == 1
        # Whatever goes wrong in a thread is for the test to tell.
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sql_store.count() == 80
    assert sql_store.count({"name": "t2"}) == 20
