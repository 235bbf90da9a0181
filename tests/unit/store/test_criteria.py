"""Criteria on documents: what matches, what is refused, and where MemoryStore answers otherwise than MongoDB."""

import re
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from uuid import UUID

import numpy as np
import pytest
from bson.objectid import ObjectId
from maggma.stores import MemoryStore

from towline.errors import InvalidCriteria
from towline.store.criteria import matcher

OBJECT_ID = ObjectId("0123456789abcdef01234567")

DOCUMENTS = {
    "number": {"a": 3},
    "float": {"a": 2.5},
    "text": {"a": "relax"},
    "null": {"a": None},
    "missing": {},
    "true": {"a": True},
    "list": {"a": [3, "relax", 7]},
    "sub": {"a": {"b": 3, "c": "x"}},
    "subs": {"a": [{"b": 3}, {"b": 9, "c": "x"}]},
    "time": {"a": datetime(2026, 1, 2)},
    "bytes": {"a": b"raw"},
    "id": {"a": OBJECT_ID},
}

CASES = [
    ({}, set(DOCUMENTS)),
    ({"a": 3}, {"number", "list"}),
    ({"a": 3.0}, {"number", "list"}),
    ({"a": "relax"}, {"text", "list"}),
    ({"a": None}, {"null", "missing"}),
    ({"a": True}, {"true"}),
    ({"a": [3, "relax", 7]}, {"list"}),
    ({"a": (3, "relax", 7)}, {"list"}),
    ({"a": {"b": 3, "c": "x"}}, {"sub"}),
    ({"a": {"b": 3}}, {"subs"}),
    ({"a": b"raw"}, {"bytes"}),
    ({"a": OBJECT_ID}, {"id"}),
    ({"a": datetime(2026, 1, 2)}, {"time"}),
    ({"a": datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=1)))}, {"time"}),
    ({"a": datetime(2026, 1, 2, 0, 0, 0, 999)}, {"time"}),
    ({"a.b": 3}, {"sub", "subs"}),
    ({"a.b": 9}, {"subs"}),
    ({"a.c": "x"}, {"sub", "subs"}),
    ({"a.0": 3}, {"list"}),
    ({"a.1.b": 9}, {"subs"}),
    ({"a.7": 3}, set()),
    ({"a": {"$eq": 3}}, {"number", "list"}),
    ({"a": {"$ne": 3}}, set(DOCUMENTS) - {"number", "list"}),
    ({"a": {"$ne": None}}, set(DOCUMENTS) - {"null", "missing"}),
    ({"a": {"$gt": 2.5}}, {"number", "list"}),
    ({"a": {"$gte": 2.5, "$lt": 3}}, {"float"}),
    ({"a": {"$gt": "m"}}, {"text", "list"}),
    ({"a": {"$lt": datetime(2026, 1, 2, 0, 0, 1, tzinfo=UTC)}}, {"time"}),
    ({"a.b": {"$gt": 5}}, {"subs"}),
    ({"a": {"$in": [3, "relax"]}}, {"number", "text", "list"}),
    ({"a": {"$in": [None]}}, {"null", "missing"}),
    ({"a": {"$in": [re.compile("^rel")]}}, {"text", "list"}),
    ({"a": {"$in": []}}, set()),
    ({"a": {"$nin": [3, None]}}, set(DOCUMENTS) - {"number", "list", "null", "missing"}),
    ({"a": {"$nin": []}}, set(DOCUMENTS)),
    ({"a": {"$exists": True}}, set(DOCUMENTS) - {"missing"}),
    ({"a": {"$exists": False}}, {"missing"}),
    ({"a.c": {"$exists": 1}}, {"sub", "subs"}),
    ({"a": re.compile("LAX", re.I)}, {"text", "list"}),
    ({"a": {"$regex": "^rel"}}, {"text", "list"}),
    ({"a": {"$regex": "^REL", "$options": "i"}}, {"text", "list"}),
    ({"a": {"$regex": re.compile("^REL"), "$options": "i"}}, {"text", "list"}),
    ({"a": {"$not": {"$gt": 2}}}, set(DOCUMENTS) - {"number", "float", "list"}),
    ({"a": {"$not": {"$regex": "x$"}}}, set(DOCUMENTS) - {"text", "list"}),
    ({"a": {"$not": re.compile("x$")}}, set(DOCUMENTS) - {"text", "list"}),
    ({"a": {"$size": 3}}, {"list"}),
    ({"a": {"$all": [3, 7]}}, {"list"}),
    ({"a": {"$all": [3]}}, {"number", "list"}),
    ({"a": {"$elemMatch": {"$gt": 5, "$lt": 8}}}, {"list"}),
    ({"a": {"$elemMatch": {"b": {"$gt": 5}, "c": "x"}}}, {"subs"}),
    ({"a": {"$elemMatch": {"b": 3, "c": "x"}}}, set()),
    ({"a": {"$elemMatch": {"$or": [{"b": 3}, {"c": "y"}]}}}, {"subs"}),
    ({"a": {"$type": "string"}}, {"text", "list"}),
    ({"a": {"$type": "array"}}, {"list", "subs"}),
    ({"a": {"$type": "bool"}}, {"true"}),
    ({"a": {"$type": "int"}}, {"number", "list"}),
    ({"$and": [{"a": {"$gt": 2}}, {"a": {"$lt": 3}}]}, {"float"}),
    ({"$or": [{"a": 2.5}, {"a.c": "x"}]}, {"float", "sub", "subs"}),
    ({"$nor": [{"a": {"$exists": True}}]}, {"missing"}),
    ({"a": 3, "$or": [{"a": "relax"}, {"a": 99}]}, {"list"}),
]


@pytest.mark.parametrize(("criteria", "names"), CASES, ids=[str(criteria) for criteria, _ in CASES])
def test_criteria_select_the_documents_that_mongodb_selects(criteria, names):
    matches = matcher(criteria)
    assert {name for name, document in DOCUMENTS.items() if matches(document)} == names


@pytest.mark.parametrize(("criteria", "names"), CASES, ids=[str(criteria) for criteria, _ in CASES])
def test_memory_store_selects_the_same(criteria, names):
    store = MemoryStore(key="name")
    store.connect()
    store.update([{"name": name, **document} for name, document in DOCUMENTS.items()])
    assert {document["name"] for document in store.query(criteria)} == names


# Each with the answer of MongoDB, which is ours, and the one of MemoryStore.
DIFFERENCES = [
    ("true is no number", {"a": 1}, {"a": True}, False),
    ("a number is not true", {"a": {"$in": [True]}}, {"a": 1}, False),
    ("elements of an array may meet one limit each", {"a.b": {"$gt": 4, "$lt": 6}}, {"a": [{"b": 3}, {"b": 9}]}, True),
    ("a field that one element has exists", {"a.b": {"$exists": False}}, {"a": [{"b": 1}, {}]}, False),
    ("a field below a number is missing", {"a.b": None}, {"a": 5}, True),
    ("a field below null is missing", {"a.b": None}, {"a": None}, True),
    ("numbers in an array have no fields", {"a.b": None}, {"a": [1, 2]}, False),
    ("$not holds where no element has the field", {"a.b": {"$not": {"$gt": 1}}}, {"a": []}, True),
    ("only arrays have a size", {"a": {"$size": 1}}, {"a": 5}, False),
    ("documents have no size", {"a": {"$size": 1}}, {"a": {"b": 1}}, False),
    ("$all of an array is the array itself", {"a": {"$all": [[1, 2]]}}, {"a": [1, 2]}, True),
    ("$eq finds an array inside an array", {"a": {"$eq": [1, 2]}}, {"a": [[1, 2], 3]}, True),
    ("an array inside an array is one element", {"a": {"$elemMatch": {"$gt": 1}}}, {"a": [[5]]}, False),
    ("so it is for $regex", {"a": {"$elemMatch": {"$regex": "p"}}}, {"a": [["p"]]}, False),
    (
        "a number is no element with fields, even other ones",
        {"a": {"$elemMatch": {"x": {"$ne": 2}}}},
        {"a": [3]},
        False,
    ),
    ("$all looks into what every element has", {"a.x": {"$all": [3]}}, {"a": [{}, {"x": [3]}]}, True),
    ("$ne is what $eq is not, with arrays in arrays too", {"a": {"$ne": [1]}}, {"a": [[1]]}, False),
    ("an empty document is not a missing one", {"a": {}}, {"b": 1}, False),
    ("fields may be called like positions", {"a.0": 5}, {"a": [{"0": 5}]}, True),
]


@pytest.mark.parametrize(
    ("criteria", "document", "answer"), [case[1:] for case in DIFFERENCES], ids=[c[0] for c in DIFFERENCES]
)
def test_where_memory_store_differs_from_mongodb_we_answer_like_mongodb(criteria, document, answer):
    assert matcher(criteria)(document) is answer
    store = MemoryStore()
    store.connect()
    store._collection.insert_one(dict(document))
    assert (store.count(criteria) == 1) is not answer, "MemoryStore has been corrected; move the case to CASES"


class Colour(Enum):
    RED = "red"


CYCLE: dict = {}
CYCLE["$and"] = [CYCLE]

REFUSED = [
    ({"a": {"$gtt": 3}}, r"'\$gtt'.*Did you mean \$gt"),
    ({"a": {"$regexp": "x"}}, r"Did you mean \$regex"),
    ({"$where": "this.a == 3"}, r"'\$where'.*Operators: "),
    ({"$gt": 3}, "does not stand beside field names"),
    ({"$expr": {}}, r"\$expr"),
    ({"$text": {"$search": "x"}}, r"\$text"),
    ({"a": {"$mod": [4, 0]}}, r"\$mod"),
    ({"a": {"$near": [0, 0]}}, r"\$near"),
    ({"a": {"$gt": 3, "b": 4}}, "'b'"),
    ({"a": {"$or": [{"b": 1}]}}, r"\$or"),
    ({"a": {"b": {"$gt": 3}}}, "write the path with dots"),
    ({"a": [{"$gt": 3}]}, r"\$gt"),
    ({"a": {"$in": 3}}, r"\$in needs a list"),
    ({"a": {"$in": "abc"}}, r"\$in needs a list"),
    ({"a": {"$in": {"x"}}}, r"\$in needs a list"),
    ({"a": {"$nin": None}}, r"\$nin needs a list"),
    ({"a": {"$in": [{"$gt": 3}]}}, r"\$gt"),
    ({"a": {"$all": []}}, r"\$all"),
    ({"a": {"$all": 3}}, r"\$all"),
    ({"a": {"$all": [{"$gt": 3}]}}, r"\$gt"),
    ({"a": {"$gt": None}}, r"\$gt compares"),
    ({"a": {"$lt": [1]}}, r"\$lt compares"),
    ({"a": {"$gte": {"b": 1}}}, r"\$gte compares"),
    ({"a": {"$lte": float("nan")}}, r"\$lte compares"),
    ({"a": {"$gt": re.compile("x")}}, "Pattern"),
    ({"a": {"$exists": "yes"}}, r"\$exists"),
    ({"a": {"$size": -1}}, r"\$size"),
    ({"a": {"$size": True}}, r"\$size"),
    ({"a": {"$size": 1.5}}, r"\$size"),
    ({"a": {"$not": 3}}, r"write \$ne"),
    ({"a": {"$not": {}}}, r"\$not"),
    ({"a": {"$not": {"$gtt": 1}}}, r"\$gtt"),
    ({"a": {"$regex": "("}}, "no regular expression"),
    ({"a": {"$regex": 3}}, r"\$regex"),
    ({"a": {"$regex": b"x"}}, r"\$regex"),
    ({"a": re.compile(b"x")}, r"\$regex"),
    ({"a": {"$regex": "x", "$options": "q"}}, r"\$options"),
    ({"a": {"$options": "i"}}, r"\$options"),
    ({"a": {"$elemMatch": 3}}, r"\$elemMatch"),
    ({"a": {"$elemMatch": {}}}, r"\$elemMatch"),
    ({"a": {"$elemMatch": {"$gt": 1, "b": 2}}}, "'b'"),
    ({"a": {"$type": "text"}}, r"\$type does not know 'text'"),
    ({"a": {"$type": True}}, r"\$type"),
    ({"a": {"$type": []}}, r"\$type"),
    ({"$and": []}, r"\$and"),
    ({"$or": {"a": 1}}, r"\$or"),
    ({"$nor": [3]}, "criteria are a mapping"),
    ({"a..b": 3}, "empty field name"),
    ({"": 3}, "empty field name"),
    ({"a.$b": 3}, r"'a\.\$b'"),
    ({3: 3}, "no field name"),
    ([("a", 3)], "criteria are a mapping"),
    ("a", "criteria are a mapping"),
    ({"a": Colour.RED}, "Colour"),
    ({"a": UUID(int=7)}, "UUID"),
    ({"a": {1, 2}}, "set"),
    ({"a": {3: "x"}}, "key 3"),
    (CYCLE, "nested too deeply"),
]


@pytest.mark.parametrize(("criteria", "message"), REFUSED, ids=[repr(criteria)[:60] for criteria, _ in REFUSED])
def test_what_cannot_be_answered_is_refused_by_name(criteria, message):
    with pytest.raises(InvalidCriteria, match=message):
        matcher(criteria)


def test_no_criteria_are_met_by_every_document():
    assert matcher(None)({"a": 1})


def test_numbers_of_numpy_are_numbers():
    assert matcher({"a": np.int64(3)})({"a": 3})
    assert matcher({"a": {"$gt": np.float64(2.5)}})({"a": 3})


def test_nan_equals_nan():
    assert matcher({"a": float("nan")})({"a": float("nan")})
    assert not matcher({"a": float("nan")})({"a": 1.0})


def test_the_order_of_fields_in_a_subdocument_does_not_matter():
    # MongoDB compares the order too, but nobody who writes a dictionary in Python means it.
    assert matcher({"a": {"b": 1, "c": 2}})({"a": {"c": 2, "b": 1}})
