"""Inputs are read, written again, and what is wrong with them is told with its place."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from towline.errors import InvalidRequest
from towline.simulations.moose.input_file import InvalidInputFile, parse, render
from towline.simulations.moose.tree import Blank, Comment, Field, Section

INPUTS = sorted((Path(__file__).parent / "inputs").glob("*.i"))

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.+-]{0,8}", fullmatch=True)
unquoted = st.from_regex(r"[A-Za-z0-9_.,;^*()/+-]{1,12}", fullmatch=True)
comments = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=15).map(
    lambda text: "# " + text.rstrip(" \t")
)


@st.composite
def literals(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.tuples(st.sampled_from("'\""), st.text(max_size=12)), min_size=1, max_size=3))
    written = [
        quote + text.replace("\\", "").replace(quote, "\\" + quote).replace("\r", "") + quote for quote, text in parts
    ]
    return draw(st.sampled_from([" ", "\n  ", " # between\n"])).join(written)


@st.composite
def items(draw: st.DrawFn, depth: int = 0) -> str:
    """Return something that may stand in a section, as somebody might write it."""
    kinds = ["field", "comment", "blank", "include", *(["section", "legacy", "path"] if depth < 3 else [])]
    kind = draw(st.sampled_from(kinds))
    if kind == "field":
        operator = draw(st.sampled_from([" = ", "=", " := ", " =\n   ", " = # why\n  "]))
        value = draw(st.one_of(unquoted, literals(), st.just("${fparse 1 + 2}"), st.just("${x}y")))
        return f"{draw(names)}{operator}{value}{draw(st.sampled_from([' ', chr(10), ' # behind' + chr(10)]))}"
    if kind == "comment":
        return draw(comments) + "\n"
    if kind == "blank":
        return "\n\n"
    if kind == "include":
        return f"\n!include {draw(names)}.i\n"
    inner = "".join(draw(st.lists(items(depth + 1), max_size=4)))
    name = draw(names)
    opening, closing = {
        "section": (f"[{name}]", "[]"),
        "legacy": (f"[./{name}]", "[../]"),
        "path": (f"[{name}/{draw(names)}]", "[]"),
    }[kind]
    return f"{opening}{draw(st.sampled_from([' ', chr(10), ' # about' + chr(10)]))}{inner}\n{closing}\n"


texts = st.lists(items(), max_size=6).map("".join)


@given(texts)
@example("[a]b=1 c='2' '3' # d\n[../]e=${f\n")
@example("a = # before\n 'x' # behind")
@settings(deadline=None, max_examples=50)
def test_writing_and_reading_again_gives_the_same_tree(text: str) -> None:
    first = parse(text)
    assert first.problems == ()
    written = first.render()
    again = parse(written)
    assert again.problems == ()
    assert again.root == first.root
    assert again.render() == written


@given(st.text(alphabet="[]=:'\"#${}\n a./!\\", max_size=60))
@example("[a]" * 3000)
@example("a " * 3000)
@example("x = " + "${" * 3000)
@settings(deadline=None, max_examples=50)
def test_what_no_input_is_leads_to_problems_with_places_and_never_to_an_accident(text: str) -> None:
    found = parse(text, "fuzz.i")
    for problem in found.problems:
        assert str(problem).startswith("fuzz.i:")
    rewritten = parse(found.render())
    if not found.problems:
        assert rewritten.root == found.root


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_the_inputs_of_the_tests_stay_what_they_are(path: Path) -> None:
    first = parse(path.read_text())
    assert first.problems == ()
    assert parse(first.render()).root == first.root


def test_comments_and_empty_lines_stay_where_they_were() -> None:
    root = parse("# head\n\n[a] # about a\n\n  b = 1 # about b\n[]\n# tail\n").root
    assert isinstance(root.children[0], Comment)
    assert isinstance(root.children[1], Blank)
    section = root.section("a")
    assert section is not None
    assert [type(one).__name__ for one in section.children] == ["Comment", "Blank", "Field", "Comment"]
    assert section.children[0] == Comment("# about a", trailing=True)


def test_legacy_and_mixed_brackets_are_the_same_tree() -> None:
    legacy = parse("[A]\n[./b]\nc=1\n[../]\n[./d]\n[]\n[../]\n").root
    plain = parse("[A]\n[b]\nc=1\n[]\n[d]\n[]\n[]\n").root
    assert legacy == plain


def test_literals_that_only_space_and_comments_separate_are_one_value() -> None:
    root = parse("""a = '1 2' # first
        "3 'x'"  ' it\\'s' b = 4""").root
    assert root.text("a") == "1 23 'x' it's"
    assert root.text("b") == "4"


def test_an_unquoted_value_ends_at_a_bracket_or_a_comment() -> None:
    root = parse("[a]b=1[]\nc=2#d\n").root
    assert root.text("a/b") == "1"
    assert root.text("c") == "2"


def test_places_are_those_of_the_file() -> None:
    root = parse("\n[a]\n  b = 1\n  [c]\n    d = 2\n  []\n[]\n", "case.i").root
    one = root.field("a/c/d")
    assert one is not None
    assert (str(one.position), one.path, one.line) == ("case.i:5.5", "a/c/d", 5)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a]\nb = 1\n", "x.i:1.1: syntax error, unexpected end of file: missing closing '[]' for section 'a'"),
        ("a [b]\n[]", "x.i:1.1: expected '=' after parameter name 'a', got '['"),
        ("a = 'b\nc = 1\n", "x.i:1.5: unterminated string"),
        ("[a b]\n[]\n", "x.i:1.1: spaces are not allowed in section paths: '[a b]'"),
        ("[a$]\n[]\n", "x.i:1.1: invalid section path character: '[a$]'"),
        (
            "a =\nb = 1\n",
            "x.i:2.3: syntax error, unexpected '='; did you leave a field value blank after a previous '='?",
        ),
        (
            "a =\n[b]\n[]\n",
            "x.i:1.1: missing value of parameter 'a'; did you leave a field value blank after a previous '='?",
        ),
        ("%a = 1\n", "x.i:1.1: invalid character '%'"),
        ("[]\n", "x.i:1.1: syntax error, unexpected '[]': no section is open"),
    ],
)
def test_mistakes_are_told_in_the_words_of_moose(text: str, complaint: str) -> None:
    assert complaint in [str(problem) for problem in parse(text, "x.i").problems]


def test_all_mistakes_are_told_at_once() -> None:
    assert len(parse("[a b]\n[]\n%\nc = 'x").problems) == 3


@pytest.mark.parametrize(
    ("word", "kind", "value"),
    [
        ("1e3", "as_int", 1000),
        ("-3", "as_int", -3),
        ("ON", "as_bool", True),
        ("no", "as_bool", False),
        ("2", "as_bool", True),
        ("'0.0, 5.0'", "as_vector", (0.0, 5.0)),
        ("'a  b'", "as_strings", ("a", "b")),
        (".5e-2", "as_float", 0.005),
        ("'1 2'", "as_integers", (1, 2)),
    ],
)
def test_values_are_converted(word: str, kind: str, value: object) -> None:
    one = parse(f"a = {word}").root.own_field("a")
    assert getattr(one, kind)() == value


@pytest.mark.parametrize(
    ("word", "kind", "name"),
    [
        ("1.5", "as_int", "integer"),
        ("maybe", "as_bool", "bool"),
        ("1_0", "as_float", "float"),
        ("'1 x'", "as_vector", "float"),
    ],
)
def test_values_that_cannot_be_converted_say_where(word: str, kind: str, name: str) -> None:
    one = parse(f"[s]\n a = {word}\n[]", "x.i").root.field("s/a")
    with pytest.raises(InvalidInputFile, match=rf"x\.i:2\.2: cannot convert field 's/a' value '.*' to {name}"):
        getattr(one, kind)()


def test_inactive_sections_are_left_out_at_their_level_only() -> None:
    root = parse("[K]\nactive = 'a'\n[a]\n[x]\n[]\n[]\n[b]\n[]\n[]\n[L]\ninactive=c\n[c]\n[]\n[d]\n[]\n[]").root
    assert [one.path for one in root.walk()] == ["", "K", "K/a", "K/a/x", "L", "L/d"]
    assert root.section("K/b") is None


@given(
    st.recursive(
        st.dictionaries(
            names, st.one_of(st.text(), st.integers(), st.booleans(), st.lists(st.floats(allow_nan=False)))
        ),
        lambda inner: st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    )
)
@settings(deadline=None, max_examples=50)
def test_a_tree_built_in_python_is_read_back_as_it_was(content: dict[str, object]) -> None:
    root = Section()
    _build(root, content)
    again = parse(render(root))
    assert again.problems == ()
    assert again.root == root


def _build(section: Section, content: dict[str, object]) -> None:
    for name, value in content.items():
        if isinstance(value, dict):
            _build(section.add_section(name), value)
            continue
        try:
            section.add(name, value.replace("\r", "") if isinstance(value, str) else value)  # type: ignore[arg-type]
        except InvalidRequest:
            # Only a text with backslashes cannot be written.
            if "\\" not in str(value):
                raise


@pytest.mark.parametrize("name", ["a b", "a[", "", "../x", "./x", "a//b", "!include", "a=b"])
def test_names_that_no_input_can_have_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be the name of a"):
        Section().add(name, 1) if name != "../x" else Section().add_section(name)


def test_numbers_keep_their_digits() -> None:
    root = Section().add("a", 0.1 + 0.2).add("b", [1, 2]).add("c", True).add("d", 1e-27)
    assert render(root) == "a = 0.30000000000000004\nb = '1 2'\nc = true\nd = 1e-27\n"
    assert isinstance(root.own_field("a"), Field)
