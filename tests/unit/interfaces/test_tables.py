"""Tables of the command line: what fits, what is broken, and in which colours."""

import time

import pytest

from towline.interfaces.cli.tables import Column, Painted, columns_of, print_fields, print_table, table

COLUMNS = [
    Column("Id", lambda row: row[0], cut=True, short=lambda row: row[0][:4]),
    Column("Name", lambda row: row[1]),
    Column("Number", lambda row: row[2], right=True),
]
ROW = ("0123456789abcdef", "a name of several words", 7)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    assert table(COLUMNS, [ROW], "Things").splitlines() == [
        "Things",
        "Id                 Name                      Number",
        "───────────────────────────────────────────────────",
        "0123456789abcdef   a name of several words        7",
    ]


def test_a_table_without_rows_has_its_head() -> None:
    assert table(COLUMNS, []).splitlines()[0] == "Id   Name   Number"


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        ("40", ["0123456789abcdef   a name of           7", " " * 19 + "several", " " * 19 + "words"]),
        ("39", ["0123   a name of several words        7"]),
        ("32", ["0123   a name of               7", "       several words"]),
        # Wider than the terminal, which breaks the lines then; nothing is left out.
        ("10", ["0123   a name of           7", "       several", "       words"]),
    ],
)
def test_what_does_not_fit_is_shortened_then_broken(
    columns: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert table(COLUMNS, [ROW]).splitlines()[2:] == lines


def test_letters_of_two_columns_count_twice() -> None:
    assert columns_of("铜 é") == 4
    first, second = table(
        [Column("Name", lambda row: row), Column("X", lambda row: "x")], ["铜铜铜", "copper"]
    ).splitlines()[2:]
    assert (first, second) == ("铜铜铜   x", "copper   x")


def test_names_cannot_move_the_cursor_or_change_colours() -> None:
    shown = table([Column("Name", lambda row: row)], ["a\x1b[31mb\rc\nd\te"]).splitlines()[2:]
    assert shown == [r"a\x1b[31mb\x0dc", "d   e"]


def test_colours_come_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Painted("1 ") + Painted("FAILED", "red", bold=True)
    assert str(text) == "1 FAILED"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert str(text) == "1 \x1b[31m\x1b[1mFAILED\x1b[0m"
    assert table([Column("State", lambda row: row), Column("X", lambda row: "x")], [text]).endswith("\x1b[0m   x\n")
    monkeypatch.setenv("NO_COLOR", "1")
    assert str(text) == "1 FAILED"


def test_fields_keep_the_lines_of_their_values(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    print_fields([("name", "x"), ("nothing", None), ("error", "Traceback:\n  line of more than twenty columns")])
    assert capsys.readouterr().out.splitlines() == [
        "name   x",
        "error  Traceback:",
        "         line of more than",
        "       twenty columns",
    ]


def test_ten_thousand_rows_are_printed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    started = time.process_time()
    print_table(COLUMNS, [ROW] * 10_000)
    # rich takes half a minute.
    assert time.process_time() - started < 5
    assert capsys.readouterr().out.count("\n") == 10_002
