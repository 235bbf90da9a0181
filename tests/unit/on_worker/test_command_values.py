"""Values that are read from what a command wrote."""

from typing import Any

import pytest

from towline.on_worker.command_payload import Command, UnusableCommand
from towline.on_worker.command_values import check_value, value_files, value_in, values_of

LOG = b"step 1 E = -1.0\nstep 2 E = -2.5D+01 eV\nname: fcc\n"
CSV = b"time, energy ,name\n0, 1.5,a\n\n1,2,b c\n"


@pytest.mark.parametrize(
    ("content", "rule", "value"),
    [
        (LOG, {"pattern": r"step (\d+)"}, 2),
        (LOG, {"pattern": r"E = (\S+)"}, -25.0),
        (LOG, {"pattern": r"^name: (.*)$"}, "fcc"),
        (LOG, {"pattern": r"-1\.0"}, -1.0),
        (b'{"a": {"b": [1, {"c": true}]}}', {"key": "a.b.1.c"}, True),
        (b"[[1, 2], [3]]", {"key": "1.0"}, 3),
        (CSV, {"column": "energy"}, 2),
        (CSV, {"column": "energy", "row": 0}, 1.5),
        (CSV, {"column": "name"}, "b c"),
        (b"x\nnan\n", {"column": "x"}, pytest.approx(float("nan"), nan_ok=True)),
    ],
)
def test_a_rule_finds_its_value(content: bytes, rule: dict[str, Any], value: object) -> None:
    check_value("v", rule)
    found = value_in(content, "v", rule)
    assert found == value
    assert type(found) is type(value) or not isinstance(value, int | float | str)


@pytest.mark.parametrize(
    ("content", "rule", "words"),
    [
        (LOG, {"pattern": "absent"}, "the value 'v' is not in standard output: nothing matches 'absent'"),
        (b"not json", {"file": "a.json", "key": "a"}, "the value 'v' is not in a.json: it is no JSON"),
        (b'{"a": 1}', {"key": "a.b"}, "it has no 'a.b'"),
        (b"[1]", {"key": "x"}, "it has no 'x'"),
        (CSV, {"column": "mass"}, "it has no column 'mass' but time, energy, name"),
        (b"", {"column": "mass"}, "it has no column 'mass' but nothing"),
        (CSV, {"column": "energy", "row": 5}, "it has no row 5"),
    ],
)
def test_a_value_that_is_not_there_is_told_with_its_place(content: bytes, rule: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableCommand) as refused:
        value_in(content, "v", rule)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"pattern": "a", "key": "b"},
        {"pattern": "("},
        {"key": "a", "row": 1},
        {"column": "a", "row": "last"},
        {"x": 1},
    ],
)
def test_a_rule_that_says_nothing_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(UnusableCommand, match="'v'"):
        check_value("v", rule)


def test_a_file_outside_of_the_run_folder_is_refused() -> None:
    with pytest.raises(UnusableCommand, match="leads out"):
        check_value("v", {"file": "../x", "key": "a"})


def test_each_file_is_read_from_where_the_resources_put_it() -> None:
    rules = {"a": {"pattern": "a"}, "b": {"file": "x.csv", "column": "c"}, "c": {"pattern": "c", "file": "x.csv"}}
    command = Command({"resources": {"qout_path": "log"}}, {"values": rules}, {})
    assert value_files(command) == ["log", "x.csv"]
    content = {"log": b"a", "x.csv": b"c\n1\n"}
    assert values_of(command, content.__getitem__) == {"a": "a", "b": 1, "c": "c"}
