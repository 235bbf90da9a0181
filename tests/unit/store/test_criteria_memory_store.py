"""Any documents, any criteria: the SQL store and MemoryStore give the same documents in the same order.

The documents and criteria here keep away from the cases in which MemoryStore answers otherwise than MongoDB; each of
those has a test of its own in test_criteria.py.
"""

import re
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maggma.stores import MemoryStore

from towline.errors import InvalidCriteria
from towline.store.criteria import matcher
from towline.store.job_store import SQLStore

# The same examples each time: what a run would find by chance may be a fault of MemoryStore.
slow_fixtures = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100, derandomize=True
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stores(request, tmp_path_factory):
    if request.param == "sqlite":
        yield from connected(tmp_path_factory.mktemp("stores") / "p.db")
        return
    with request.getfixturevalue("postgresql").schema() as url:
        yield from connected(url)


def connected(place):
    memory = MemoryStore(key="n")
    # With indexes, so that SQL decides as much as it can.
    indexed = SQLStore(place, key="n")
    bare = SQLStore(indexed.path, "bare", key="n")
    for store in (memory, indexed, bare):
        store.connect()
    for path in ("a", "b", "b.x", "c", "c.x", "s"):
        assert indexed.ensure_index(path)
    yield memory, indexed, bare
    for store in (memory, indexed, bare):
        store.close()


def fill(stores, documents):
    numbered = [{"n": number, **document} for number, document in enumerate(documents)]
    for store in stores:
        store.remove_docs({})
        store.update(numbered)


def numbers(documents):
    return [document["n"] for document in documents]


# No 0 and 1 beside true and false: MemoryStore takes them for each other.
integers = st.integers(2, 5) | st.integers(-(2**63), -1) | st.integers(2**53, 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number not in (0.0, 1.0))
texts = st.sampled_from(["", "p", "q", "P", "pq", "é", "2", "it's", 'say "p"', "\u2028", "p\0q"]) | st.text(max_size=3)
times = st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1))
scalars = st.none() | st.booleans() | integers | floats | texts | times
lists = st.lists(scalars, min_size=2, max_size=4)
subdocuments = st.fixed_dictionaries({}, optional={"x": scalars, "y": scalars})
documents = st.fixed_dictionaries(
    {},
    optional={
        "a": scalars | lists,
        "b": subdocuments,
        "c": st.lists(st.fixed_dictionaries({"x": scalars}, optional={"y": scalars}), min_size=1, max_size=3),
        "s": scalars,
        "name": texts,
    },
)
collections = st.lists(documents, max_size=6)

paths = st.sampled_from(["a", "b.x", "b.y", "c.x", "s", "name", "missing", "uuid", "c.0.x"])
comparable = st.booleans() | integers | floats | texts | times
patterns = st.sampled_from(["p", "^p", "q$", "^$", "[a-p]", "é", "pq", "^P", "p\0", 'y "', "t's", "2|p", "(?i)^P"])


def operator(name, values):
    return st.builds(lambda value: {name: value}, values)


conditions = st.one_of(
    scalars,
    lists,
    *(operator(name, scalars) for name in ("$eq", "$ne")),
    *(operator(name, comparable) for name in ("$gt", "$gte", "$lt", "$lte")),
    *(operator(name, st.lists(scalars, max_size=3)) for name in ("$in", "$nin")),
    operator("$exists", st.just(True)),
    operator("$regex", patterns),
    st.builds(lambda pattern: {"$regex": pattern, "$options": "i"}, patterns),
    st.builds(re.compile, patterns),
    operator("$all", st.lists(comparable, min_size=1, max_size=2)),
    operator("$type", st.sampled_from(["string", "bool", "date", "double"])),
    st.builds(lambda value: {"$not": {"$gt": value}}, comparable),
)
array_conditions = st.one_of(
    operator("$size", st.integers(2, 4)),
    st.builds(lambda low, high: {"$elemMatch": {"$gte": low, "$lte": high}}, comparable, comparable),
)
parts = st.one_of(
    st.dictionaries(paths, conditions, max_size=2),
    st.builds(lambda condition: {"a": condition}, array_conditions),
    st.builds(lambda value: {"c": {"$elemMatch": {"x": value}}}, scalars),
    st.builds(lambda value: {"a.1": value}, comparable),
    st.builds(lambda value: {"b": value}, subdocuments.filter(bool)),
    st.sampled_from([{"b.x": {"$exists": False}}, {"a": {"$exists": False}}]),
    st.builds(lambda low, high: {"s": {"$gte": low, "$lt": high}}, integers, integers),
)
criteria = st.recursive(
    parts,
    lambda inner: st.builds(
        lambda name, branches: {name: branches},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)


@slow_fixtures
@given(collections, st.lists(criteria, min_size=1, max_size=5))
def test_the_same_criteria_give_the_same_documents(stores, found, wanted):
    fill(stores, found)
    for one in wanted:
        memory, *ours = [list(store.query(one)) for store in stores]
        for answer in ours:
            assert numbers(answer) == numbers(memory), one
            assert [{**document, "_id": 0} for document in answer] == [{**document, "_id": 0} for document in memory]
        assert [store.count(one) for store in stores] == [len(memory)] * 3


@slow_fixtures
@given(
    collections,
    st.dictionaries(st.sampled_from(["s", "b.x", "b.y", "name", "missing"]), st.sampled_from([1, -1]), max_size=3),
    st.integers(0, 3),
    st.integers(0, 4),
)
def test_the_same_sort_gives_the_same_order(stores, found, sort, skip, limit):
    fill(stores, found)
    memory, *ours = [numbers(store.query(sort=sort, skip=skip, limit=limit)) for store in stores]
    assert ours == [memory] * 2


@slow_fixtures
@given(collections, st.lists(st.sampled_from(["a", "b.x", "c.x", "c.y", "s", "name"]), unique=True), st.booleans())
def test_the_same_properties_give_the_same_fields(stores, found, fields, included):
    fill(stores, found)
    properties = {field: int(included) for field in fields} | {"_id": 0}
    memory, *ours = [list(store.query(properties=dict(properties))) for store in stores]
    assert ours == [memory] * 2


@slow_fixtures
@given(collections, criteria)
def test_what_the_criteria_select_is_removed_and_nothing_else(stores, found, wanted):
    fill(stores, found)
    for store in stores:
        store.remove_docs(wanted)
    memory, *ours = [numbers(store.query()) for store in stores]
    assert ours == [memory] * 2


OPERATORS = [
    "$gt",
    "$gte",
    "$lt",
    "$in",
    "$nin",
    "$all",
    "$or",
    "$and",
    "$nor",
    "$not",
    "$ne",
    "$eq",
    "$exists",
    "$regex",
]
STRANGE = ["$options", "$elemMatch", "$where", "$expr", "$mod", "$near", "$comment", "$regexp", "$x", "", "a..b"]
names = st.sampled_from(["a", "b", "b.x", *OPERATORS, *STRANGE])
garbage_values = st.recursive(
    st.none() | st.integers(2, 4) | st.floats() | st.sampled_from(["x", "", "(", "i"]) | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=8,
)
garbage = st.dictionaries(names, garbage_values, max_size=3)


@slow_fixtures
@given(st.lists(garbage, min_size=1, max_size=20))
def test_any_criteria_are_answered_as_by_memory_store_or_refused(stores, attempts):
    fill(stores, [{"a": 3}, {"a": "x"}, {"a": [3, "x"]}, {"b": {"x": 3}}, {"a": None, "b": {}}, {}])
    memory, *ours = stores
    for wanted in attempts:
        try:
            matcher(wanted)
        except InvalidCriteria:
            continue
        expected = numbers(memory.query(wanted))
        assert [numbers(store.query(wanted)) for store in ours] == [expected] * 2, wanted


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=2)
    | st.just({1}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.integers() | st.text(max_size=3), inner),
    max_leaves=8,
)


@slow_fixtures
@given(anything)
def test_nothing_but_a_refusal_comes_of_criteria_that_are_none(stores, wanted):
    _, indexed, bare = stores
    try:
        matcher(wanted)
    except InvalidCriteria:
        for store in (indexed, bare):
            with pytest.raises(InvalidCriteria):
                store.query(wanted)
    else:
        assert indexed.count(wanted) == bare.count(wanted)
