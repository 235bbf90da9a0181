"""Journals of the pool, and what a later pilot reads in them."""

import os
from pathlib import Path

from towline.core.records import ExitRecord
from towline.on_worker.framing import encode
from towline.on_worker.pool_journal import append, read_journal
from towline.on_worker.pool_leftovers import Leftovers
from towline.on_worker.process_identity import start_mark

_NOBODY = 2**22 + 7


def _write(path: Path, *entries: bytes, pid: int = _NOBODY, mark: str | None = "1@boot") -> Path:
    path.write_bytes(b"".join([encode({"child": pid, "mark": mark}), *entries]))
    return path


def _begin(key: str) -> bytes:
    return encode({"begin": key, "at": 5.0})


def _end(key: str, result: bytes = b"result\n") -> bytes:
    return encode({"end": key, "began": 5.0, "at": 6.0, "cpu_seconds": 0.5}, [result])


def test_ends_and_what_was_begun_are_read(tmp_path: Path) -> None:
    journal = read_journal(_write(tmp_path / "a.journal", _begin("1.1"), _end("1.1", b"{}\n{}\n"), _begin("2.1")))
    assert journal.pid == _NOBODY
    assert journal.running == "2.1"
    record, result = journal.ended["1.1"]
    assert (record.exit_code, record.cpu_seconds, result) == (0, 0.5, b"{}\n{}\n")


def test_an_entry_that_was_cut_off_counts_as_not_written(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.journal", _begin("1.1"), _end("1.1"))
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        assert not read_journal(path).ended


def test_acknowledged_functions_are_forgotten_dead_ones_have_ended(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.journal", _begin("1.1"), _end("1.1"), _begin("2.1"))
    record = ExitRecord(None, 9, "signal", 1.0, 2.0, "here")
    append(path, {"died": "2.1", "exit": {name: getattr(record, name) for name in ExitRecord.__dataclass_fields__}})
    append(path, {"acknowledged": ["1.1"]})
    journal = read_journal(path)
    assert journal.ended == {"2.1": (record, None)}
    assert journal.running is None


def test_a_missing_or_damaged_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "missing.journal").keys == []
    (tmp_path / "bad.journal").write_bytes(_begin("1.1") + b"\0\0\0\n")
    assert read_journal(tmp_path / "bad.journal").running == "1.1"


def test_leftovers_know_what_ended_what_was_begun_and_what_never_was(tmp_path: Path) -> None:
    ended = _write(tmp_path / "a.journal", _begin("1.1"), _end("1.1"))
    _write(tmp_path / "b.journal", _begin("2.1"))
    _write(tmp_path / "c.journal", _begin("3.1"), pid=os.getpid(), mark=start_mark(os.getpid()))
    _write(tmp_path / "d.journal", _begin("4.1"), encode({"back": "4.1"}))
    leftovers = Leftovers(tmp_path)
    first = leftovers.find("1.1")
    assert first is not None
    assert first.journal == ended
    assert first.result == b"result\n"
    second, third = leftovers.find("2.1"), leftovers.find("3.1")
    assert second is not None
    assert not second.runs
    assert third is not None
    assert third.runs
    assert leftovers.find("4.1") is None
    # Nothing is left to tell from the last one.
    assert not (tmp_path / "d.journal").exists()


def test_a_function_that_ended_in_the_next_journal_of_its_process_is_not_running(tmp_path: Path) -> None:
    _write(tmp_path / "a.journal", _begin("1.1"))
    _write(tmp_path / "b.journal", _end("1.1"))
    found = Leftovers(tmp_path).find("1.1")
    assert found is not None
    assert found.exit is not None


def test_a_function_whose_end_nobody_saw_is_kept_until_it_is_acknowledged(tmp_path: Path) -> None:
    _write(tmp_path / "a.journal", _begin("1.1"))
    leftovers = Leftovers(tmp_path)
    assert leftovers.journals() == [(tmp_path / "a.journal", ["1.1"], False)]
    leftovers.forget({"1.1"})
    assert leftovers.journals() == [(tmp_path / "a.journal", [], False)]
