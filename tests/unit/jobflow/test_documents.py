"""Documents hold what JSON cannot say; references in them are found without jobflow."""

import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from jobflow import OutputReference

from towline.core.documents import UnwritableValue, decode, encode
from towline.core.output_references import reachable, resolve, uuids_in

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(UTC) | st.none()).map(lambda time: time.replace(fold=0)),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.sampled_from(["$date", "$oid", "$escaped", "$numberLong"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_documents_come_back_exactly_and_are_json_on_one_line(value: Any) -> None:
    content = encode(value)
    assert b"\n" not in content
    orjson.loads(content)
    assert repr(decode(content)) == repr(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), b'{"$numberDouble":"NaN"}'),
        (-math.inf, b'{"$numberDouble":"-Infinity"}'),
        (2**64, b'{"$numberLong":"18446744073709551616"}'),
        (2**64 - 1, b"18446744073709551615"),
        (ObjectId("6b0163a4083e2fc9a6be461f"), b'{"$oid":"6b0163a4083e2fc9a6be461f"}'),
        (datetime(2026, 1, 2, 3), b'{"$date":"2026-01-02T03:00:00"}'),
        ((1, None), b"[1,null]"),
    ],
)
def test_the_notation_is_that_of_mongodb(value: Any, written: bytes) -> None:
    assert encode(value) == written


def test_object_ids_come_back() -> None:
    value = {"_id": ObjectId()}
    assert decode(encode(value)) == value


def test_a_uuid_becomes_text() -> None:
    value = UUID("2c1a3b5e-0000-4000-8000-000000000000")
    assert decode(encode({"nan": float("nan"), "id": value}))["id"] == str(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, {"b": object()}]}, r"^\['a'\]\[1\]\['b'\] is of type builtins.object"),
        ({"a": {1: 2}}, r"^\['a'\] has the key 1, which is no text"),
        (["\ud800"], r"^\[0\] is text that is not valid Unicode"),
        (object(), "^it is of type"),
    ],
)
def test_what_cannot_be_written_is_named_with_its_place(value: Any, words: str) -> None:
    with pytest.raises(UnwritableValue, match=words):
        encode(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(UnwritableValue, match="contains itself"):
        encode(value)


def reference(uuid: str, *attributes: tuple[str, Any]) -> Any:
    return orjson.loads(orjson.dumps(OutputReference(uuid, attributes).as_dict()))


def test_references_in_a_document_are_found_once_each() -> None:
    content = encode({"x": [reference("b"), {"y": reference("a", ("i", "k"))}], "z": reference("b")})
    assert uuids_in(content) == ["b", "a"]
    assert uuids_in(b'{"OutputReference": 1}') == []
    assert uuids_in(b"[1]") == []


def test_references_are_followed_through_outputs() -> None:
    outputs = {"a": (1, encode([reference("b")])), "b": (1, encode(reference("c"))), "c": (2, b"1"), "d": (1, b"1")}
    assert reachable(["a", "missing"], outputs) == ["a", "b", "c"]
    circle = {"a": (1, encode(reference("b"))), "b": (1, encode(reference("a")))}
    assert reachable(["a"], circle) == ["a", "b"]


def test_references_are_replaced_by_values() -> None:
    outputs = {"a": {"k": [10, {"deep": True}]}, "b": None}
    value = [1, {"x": reference("a", ("i", "k"), ("i", 1), ("a", "deep")), "y": reference("b")}]
    assert resolve(value, outputs) == [1, {"x": True, "y": None}]


@pytest.mark.parametrize(
    "attributes", [[("i", "no")], [("a", "no")], [("i", "k"), ("a", "real")], [("i", "k"), ("i", "s")]]
)
def test_a_reference_that_leads_nowhere_is_a_lookup_error(attributes: list[tuple[str, Any]]) -> None:
    with pytest.raises(LookupError):
        resolve(reference("a", *attributes), {"a": {"k": [1]}})
    with pytest.raises(LookupError):
        resolve(reference("z"), {})
