"""Commands: what is started, and what is collected; without starting anything."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from towline.core.records import ExitRecord, pack_job
from towline.on_worker import command

_FACTS = {"db_id": "7", "uuid": "u", "index": 2, "name": "n", "payload_kind": "command", "metadata": {}, "hosts": []}


def _command(payload: dict[str, Any], parents: dict[str, Any] | None = None) -> command.Command:
    references = [(uuid, 1, orjson.dumps(output)) for uuid, output in (parents or {}).items()]
    return command.parse(pack_job(_FACTS, orjson.dumps(payload), references))


def _reference(uuid: str, *attributes: list[Any]) -> dict[str, Any]:
    return {"@class": "OutputReference", "uuid": uuid, "attributes": list(attributes)}


def _exit(code: int | None = 0, signal: int | None = None, reason: str = "exited") -> ExitRecord:
    return ExitRecord(code, signal, reason, 1.0, 1_700_000_000.25, "here")


@pytest.mark.parametrize("payload", [{}, {"argv": ["a"], "shell": "a"}, [], "text"])
def test_what_is_no_command_is_refused(payload: Any) -> None:
    with pytest.raises(command.UnusableCommand):
        _command(payload)


def test_a_damaged_job_file_is_refused() -> None:
    with pytest.raises(command.UnusableCommand, match="cannot be read"):
        command.parse(b"{}\n")


def test_references_become_text() -> None:
    parents = {"p": {"text": "a b", "number": 1.5, "list": [1, None, True]}}
    words = ["x", _reference("p", ["a", "text"]), _reference("p", ["i", "number"]), _reference("p", ["i", "list"])]
    found = _command({"argv": words, "environment": {"N": _reference("p", ["i", "list"], ["i", 0])}}, parents)
    assert command.arguments(found) == ["x", "a b", "1.5", "[1,null,true]"]
    assert command.environment(found) == {"N": "1"}


def test_an_output_that_refers_to_another_one_is_followed() -> None:
    parents = {"replaced": _reference("inner", ["i", "value"]), "inner": {"value": {"deep": "x"}}}
    found = _command({"argv": [_reference("replaced", ["i", "deep"])]}, parents)
    assert command.arguments(found) == ["x"]


@pytest.mark.parametrize(
    "reference", [_reference("q"), _reference("p", ["i", "no"]), _reference("p", ["i", "t"], ["a", "b"])]
)
def test_a_reference_to_nothing_says_where_it_stands(reference: dict[str, Any]) -> None:
    found = _command({"argv": ["x", reference]}, {"p": {"t": "text"}})
    with pytest.raises(command.MissingOutput, match="argument 1"):
        command.arguments(found)


@pytest.mark.parametrize("name", ["/a", "../a", "a/../../b", "", "a\0b"])
@pytest.mark.parametrize("kind", ["inputs", "outputs"])
def test_names_outside_of_the_folder_are_refused(name: str, kind: str) -> None:
    found = _command({"argv": ["x"], kind: {name: "t"} if kind == "inputs" else [name]})
    with pytest.raises(command.UnusableCommand, match="leads out of the folder"):
        command.check(found)


def test_the_result_is_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    found = _command({"argv": ["x"], "outputs": ["*.txt"]})
    first = command.collect(str(tmp_path), found, _exit())
    assert first == command.collect(str(tmp_path), found, _exit())
    document = orjson.loads(first.output or b"")
    assert document["completed_at"].endswith(".250000")
    assert document["index"] == 2


def test_names_that_look_like_patterns_are_found(tmp_path: Path) -> None:
    (tmp_path / "out[1].txt").write_text("x")
    result = command.collect(str(tmp_path), _command({"argv": ["x"], "outputs": ["out[1].txt"]}), _exit())
    assert list(orjson.loads(result.output or b"")["output"]["files"]) == ["out[1].txt"]


def test_files_of_towline_are_outputs_only_when_named(tmp_path: Path) -> None:
    for name in ("queue.out", "towline_job.jsonl", "mine"):
        (tmp_path / name).write_text("x")
    by_pattern = command.collect(str(tmp_path), _command({"argv": ["x"], "outputs": ["*"]}), _exit())
    assert list(orjson.loads(by_pattern.output or b"")["output"]["files"]) == ["mine"]
    by_name = command.collect(str(tmp_path), _command({"argv": ["x"], "outputs": ["queue.out"]}), _exit())
    assert list(orjson.loads(by_name.output or b"")["output"]["files"]) == ["queue.out"]


@pytest.mark.parametrize(
    ("record", "reason", "text"),
    [
        (_exit(1), "exit_code", "exit code 1"),
        (_exit(None, 9, "signal"), "signal", "SIGKILL"),
        (_exit(None, 15, "timeout"), "timeout", "timeout"),
        (_exit(0, None, "cancelled"), "cancelled", "cancelled"),
        (_exit(None, None, "vanished"), "vanished", "vanished"),
    ],
)
def test_every_other_end_is_a_failure(tmp_path: Path, record: ExitRecord, reason: str, text: str) -> None:
    failure = command.collect(str(tmp_path), _command({"argv": ["x"]}), record).failure
    assert failure is not None
    assert failure.reason == reason
    assert text in failure.message


def test_a_tail_in_the_middle_of_a_character_is_text_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "queue.out").write_text("ü" * 5000, encoding="utf-8")
    (tmp_path / "queue.err").write_bytes(b"\xff" * 10)
    output = orjson.loads(command.collect(str(tmp_path), _command({"argv": ["x"]}), _exit()).output or b"")["output"]
    assert output["stdout_tail"].endswith("üü")
    assert len(output["stderr_tail"]) == 10
