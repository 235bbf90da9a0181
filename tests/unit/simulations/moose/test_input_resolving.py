"""From files, includes, braces and the command line to the tree that is run."""

import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from towline.simulations.moose.input_file import InvalidInputFile, ResolvedInput, parse, read, resolve


def resolved(text: str, *overrides: str, environment: dict[str, str] | None = None) -> ResolvedInput:
    file = parse(text, "x.i")
    assert file.problems == ()
    return resolve([file.root], overrides, environment or {})


def complaints(text: str, *overrides: str) -> list[str]:
    return [str(problem) for problem in resolved(text, *overrides).problems]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${a}", "3"),
        ("${replace a}", "3"),
        ("${ a }", "3"),
        ("${S/b}", "deep"),
        ("x${a}y", "x3y"),
        ("'${a} and ${a}'", "3 and 3"),
        ("${raw a ${a} c}", "a3c"),
        ("${raw g${a}_ h}", "g3_h"),
        ("${env PLACE}", "here"),
        ("'${env NOWHERE}'", ""),
        ("${fparse a^2 + 1}", "10"),
        ("${fparse 0.1 * a}", "0.30000000000000004"),
        ("${fparse sin(pi/2) + if(a > 2, 1, 0)}", "2"),
        ("${fparse ${a} * later}", "15"),
        ("${units 5 m/s}", "5"),
        ("${units 5 m/s -> km/h}", "18"),
        ("${units 3 kJ/m^2 -> J/m^2}", "3000"),
        ("${units 20 degC -> K}", "293.14999999999998"),
        ("'${enumerate gr0 gr2}'", "gr0 gr1 gr2"),
        ("'${enumerate gr 8 10}'", "gr8 gr9 gr10"),
    ],
)
def test_braces_are_carried_out(value: str, expected: str) -> None:
    found = resolved(f"a = 3\nx = {value}\nlater = 5\n[S]\n b = deep\n[]", environment={"PLACE": "here"})
    assert found.problems == ()
    assert found.tree.text("x") == expected


def test_a_name_is_looked_up_outward_and_never_finds_its_own_field() -> None:
    found = resolved("a = outer\n[S]\n a = ${a}\n [T]\n  b = ${a}\n []\n[]")
    assert (found.tree.text("S/a"), found.tree.text("S/T/b")) == ("outer", "outer")
    assert found.tree.own_field("a") is not None
    assert found.tree.own_field("a").used  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "x = ${lenght}\nlength = 1",
            "no variable 'lenght' found for substitution expression in 'x'. Did you mean 'length'?",
        ),
        ("x = ${fparse y}", "no variable 'y' found for use in function parser expression"),
        ("x = ${fparse 1 +}", "fparse error: expected a number, a name or '('"),
        ("x = ${fparse y}\ny = word", "fparse error: the value 'word' of 'y' is no number"),
        ("x = '${}'", "empty brace expression in 'x'"),
        ("x = ${sum 1 2}", "invalid brace-expression command 'sum' in 'x'"),
        ("x = ${y", "invalid brace-expression syntax in 'x': missing closing '}' in brace expression"),
        ("x = ${y}\ny = ${x}", "cyclic brace-expression dependency detected: x -> y -> x"),
        ("x = ${units 1 m s}", "units error: Expected 4 arguments"),
        ("x = ${units 1 m -> s}", "units error: cannot convert 'm' to 's'"),
        ("x = ${units 1 m -> furbish}", "units error: cannot convert 'm' to 'furbish'"),
        ("x = ${units 1 m -> __import__('os')}", "units error: "),
        ("x = ${enumerate a b}", "'a' does not end in an integer"),
        ("x = ${enumerate a1 b2}", "do not match"),
        ("x = ${enumerate a 1 b}", "'b' is not a non-negative integer"),
        ("x = ${enumerate a2 a1}", "is smaller than first index"),
        ("x = ${enumerate a0 a999999999}", "more than 100000 names"),
        ("x = ${enumerate a b c d}", "Expected 2 arguments"),
    ],
)
def test_braces_that_cannot_be_carried_out_are_told_once_and_stay(text: str, complaint: str) -> None:
    found = resolved(text)
    assert len(found.problems) == 1
    assert str(found.problems[0]).startswith("x.i:1.1: ")
    assert complaint in str(found.problems[0])
    assert found.tree.text("x").startswith("${")


@given(st.text(alphabet="${}abx 1+/->", max_size=40))
@example("${" * 400)
@example("${a" * 60 + "}" * 60)
@settings(deadline=None)
def test_no_value_breaks_the_braces(value: str) -> None:
    file = parse(f"a = 1\nb = '{value}'\nx = ${{b}}")
    resolve([file.root], (), {})


def test_an_override_wins_wherever_it_stands() -> None:
    assert resolved("a := 1\na = 2").tree.text("a") == "1"
    assert resolved("[S]\na = 2\n[]\nS/a := 1").tree.text("S/a") == "1"


def test_values_that_are_given_twice_are_told_with_both_places() -> None:
    assert complaints("[a]\n b = 1\n[]\n[a]\n b = 2\n[]") == [
        "x.i:2.2: parameter 'a/b' supplied multiple times",
        "x.i:5.2: parameter 'a/b' supplied multiple times",
    ]
    assert complaints("a := 1\na := 1")[0] == "x.i:1.1: 'a' specified more than once with override syntax"


def test_sections_of_one_path_are_one() -> None:
    tree = resolved("[A/b]\n c = 1\n[]\n[A]\n [b]\n  d = 2\n []\n[]\nA/b/e = 3").tree
    section = tree.section("A/b")
    assert section is not None
    assert {one.name: one.text for one in section.fields} == {"c": "1", "d": "2", "e": "3"}


def test_the_command_line_wins_and_makes_what_is_missing() -> None:
    tree = resolved("[S]\n a = 1\n b = ${a}\n[]", "S/a=2", "S/new/c=x y z", "S/d='q r'", ":top=5").tree
    assert tree.text("S/b") == "2"
    assert tree.text("S/new/c") == "x y z"
    assert tree.text("S/d") == "q r"
    assert tree.text("top") == "5"
    assert complaints("a = 1", "no value here") == [
        "invalid command-line argument 'no value here': expected Block/sub/parameter=value"
    ]


def test_active_and_inactive_are_checked() -> None:
    assert complaints("[s]\nactive = 'one two'\n[one]\n[]\n[]") == [
        "x.i:2.1: variables listed as active (two) in section 's' not found in input"
    ]
    both = complaints("[s]\nactive = a\ninactive = a\n[a]\n[]\n[]")
    assert both == ["x.i:2.1: 'active' and 'inactive' parameters both provided in section 's'"]


def test_later_files_win_and_say_so(tmp_path: Path) -> None:
    (tmp_path / "a.i").write_text("[S]\n x = 1\n y = 1\n[]")
    (tmp_path / "b.i").write_text("[S]\n x = 2\n[]\nT/z = ${S/y}")
    found = read([tmp_path / "a.i", tmp_path / "b.i"])
    assert (found.tree.text("S/x"), found.tree.text("T/z"), found.stem) == ("2", "1", "b")
    assert [one.severity for one in found.problems] == ["information"]
    assert "'S/x' overrides the value of" in found.problems[0].text


def test_included_files_stand_where_they_are_included(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "main.i").write_text("[S]\n !include parts/inner.i\n[]\n!include 'parts/outer one.i'\n")
    (tmp_path / "parts" / "inner.i").write_text("a = 1\n!include deeper.i")
    (tmp_path / "parts" / "deeper.i").write_text("b = 2")
    (tmp_path / "parts" / "outer one.i").write_text("c = 3")
    tree = read([tmp_path / "main.i"]).tree
    assert [tree.text(path) for path in ("S/a", "S/b", "c")] == ["1", "2", "3"]


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.i").write_text("!include b.i")
    (tmp_path / "b.i").write_text("!include a.i")
    with pytest.raises(InvalidInputFile, match=r"b\.i:1\.1: circular !include: a\.i -> b\.i -> a\.i"):
        read([tmp_path / "a.i"])


def test_a_mistake_in_an_included_file_has_the_place_there(tmp_path: Path) -> None:
    (tmp_path / "a.i").write_text("!include b.i\n!include gone.i")
    (tmp_path / "b.i").write_text("\n[s]")
    with pytest.raises(InvalidInputFile) as caught:
        read([tmp_path / "a.i"])
    first, second = caught.value.problems
    assert str(first).endswith("b.i:2.1: syntax error, unexpected end of file: missing closing '[]' for section 's'")
    assert "a.i:2.1: Unable to open file" in str(second)


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.i").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInputFile, match=r"Unable to open file .* it is not UTF-8 text"):
        read([tmp_path / "a.i"])


def test_the_work_grows_with_the_number_of_sections_and_not_with_its_square():
    def seconds(count):
        sections = "".join(f"[k{i}]\nrate = ${{fparse start*{i}}}\n[]\n" for i in range(count))
        text = f"start = 1\n[Kernels]\n{sections}[]\n"
        began = time.process_time()
        assert resolve([parse(text, "x.i").root], (), {}).problems == ()
        return time.process_time() - began

    # Four times as many: linear work takes four times as long, quadratic work sixteen times.
    assert min(seconds(2000) for _ in range(3)) < 9 * min(seconds(500) for _ in range(3))
