"""What SQL says about criteria: never less than the documents that match, and exactly those where it says so."""

import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.store.criteria import matcher
from towline.store.criteria_sql import SqlField, json_field, prefilter
from towline.store.documents import COLUMN_FIELDS

ROWS = [
    {"id": number, "name": name, "priority": priority}
    for number, (name, priority) in enumerate(
        (name, priority) for name in (None, "", "relax", "static", "it's 5", "5") for priority in (None, -1, 0, 5, 2.5)
    )
]

FIELDS = {
    "id": SqlField("job.id", "number"),
    "name": SqlField("job.name", "text"),
    "priority": SqlField("job.priority", "number"),
}


@pytest.fixture(scope="module")
def connection():
    made = sqlite3.connect(":memory:")
    made.execute("CREATE TABLE job (id INTEGER, name TEXT, priority REAL)")
    made.executemany("INSERT INTO job VALUES (:id, :name, :priority)", ROWS)
    yield made
    made.close()


values = st.sampled_from(
    [None, "", "relax", "static", "5", "it's 5", -1, 0, 5, 5.0, 2.5, 10**30, True, [5], float("inf"), "a\0b"]
)
scalars = values.filter(lambda value: value is not None and not isinstance(value, list))
fields = st.sampled_from(["name", "priority", "id"])
comparisons = st.one_of(
    values,
    st.builds(lambda name, value: {name: value}, st.sampled_from(["$eq", "$ne"]), values),
    st.builds(lambda name, value: {name: value}, st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), scalars),
    st.builds(lambda name, items: {name: items}, st.sampled_from(["$in", "$nin"]), st.lists(values, max_size=3)),
    st.builds(lambda value: {"$not": {"$gt": value}}, scalars),
    st.just({"$exists": True}),
    st.just({"$regex": "a"}),
)
criteria = st.recursive(
    st.dictionaries(fields, comparisons, max_size=2),
    lambda inner: st.builds(
        lambda name, parts: {name: parts},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)


@given(criteria)
def test_columns_give_every_match_and_only_matches_where_exact(connection, wanted):
    condition = prefilter(wanted, FIELDS)
    where = f" WHERE {condition.sql}" if condition.sql else ""
    found = {number for (number,) in connection.execute("SELECT id FROM job" + where, condition.parameters)}
    expected = {row["id"] for row in ROWS if matcher(wanted)(row)}
    assert not condition.unknown
    assert found == expected if condition.exact else found >= expected


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"name": "relax"},
        {"name": None},
        {"name": {"$ne": "relax"}},
        {"name": {"$in": ["relax", "static"]}, "priority": {"$gte": 0, "$lt": 5}},
        {"$or": [{"name": "relax"}, {"priority": {"$nin": [5]}}]},
        {"$nor": [{"name": {"$in": []}}]},
        {"name": 5},
        {"priority": {"$gt": "5"}},
        {"priority": {"$not": {"$lt": 5}}},
    ],
    ids=str,
)
def test_plain_criteria_on_columns_leave_nothing_to_decide(wanted):
    assert prefilter(wanted, FIELDS).exact


def test_what_a_column_does_not_tell_is_looked_up_beside_it():
    condition = prefilter({"uuid": "u", "name": {"$in": ["a", "b"]}, "output.x": 3}, COLUMN_FIELDS)
    assert condition == (
        "(uuid = ?) AND (name IN (SELECT value FROM json_each(?)))",
        ["u", '["a","b"]'],
        False,
        {"uuid IS NULL", "name IS NULL"},
    )


@pytest.mark.parametrize(
    "wanted",
    [
        {"uuid": None},
        {"uuid": {"$ne": "u"}},
        {"uuid": {"$regex": "u|v"}},
        {"uuid": {"$not": {"$regex": "u"}}},
        {"$or": [{"uuid": "u"}, {"output": 3}]},
        {"$nor": [{"uuid": "u"}]},
        {"uuid": {"$not": {"$eq": "u"}}},
        {"uuid": {"$in": ["u", None]}},
    ],
    ids=str,
)
def test_where_sql_could_miss_a_document_it_says_nothing(wanted):
    assert prefilter(wanted, COLUMN_FIELDS) == ("", [], False, frozenset())


def test_paths_with_unusual_names_have_no_expression():
    assert json_field("output.energy") is not None
    assert [json_field(path) for path in ("a.0", "a'b", 'a"b', "é", "a..b")] == [None] * 5


NAME = SqlField("name", "text")


@pytest.mark.parametrize(
    ("operand", "sql", "parameters"),
    [
        ({"$regex": "^relax 1"}, "name >= ? AND name < ?", ["relax 1", "relax 2"]),
        (re.compile("^re.*lax$"), "name >= ? AND name < ? AND instr(name, ?) > 0", ["re", "rf", "lax"]),
        ({"$regex": "band|structure"}, "", []),
        ({"$regex": "structure", "$options": "i"}, "instr(lower(name), ?) > 0", ["tructure"]),
        ({"$in": [re.compile("relax"), "x"]}, "(instr(name, ?) > 0) OR (name = ?)", ["relax", "x"]),
    ],
    ids=str,
)
def test_a_database_is_told_what_a_regular_expression_needs(operand, sql, parameters):
    found = prefilter({"name": operand}, {"name": NAME})
    assert (found.sql, found.parameters, found.exact) == (sql, parameters, False)


def test_a_document_is_not_parsed_where_it_lacks_the_bytes_of_the_text_that_is_looked_for():
    field = json_field("label", "metadata")
    found = prefilter({"label": {"$regex": 'mp-123"$'}}, {"label": field})
    assert found.sql.startswith("instr(metadata, CAST(? AS BLOB)) > 0 AND (instr(")
    assert found.parameters == ["mp-123", 'mp-123"']
    assert not found.unknown
