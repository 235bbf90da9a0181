"""What is said about a regular expression is true of every text in which Python finds something."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from towline.store import regular_expressions
from towline.store.regular_expressions import Needed, Part, needed

# The last four are found where i, k or s is looked for without regard to case.
LETTERS = "abBikKsS1. \n\xdf\u017f\u0130\u0131\u212a"

characters = st.sampled_from(
    [*LETTERS.replace(".", ""), r"\.", ".", r"\d", r"\w", r"\s", "[ab]", "[^a]", "^", "$", r"\A"]
)
patterns = st.recursive(
    st.lists(characters, max_size=5).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda branches: f"(?:{'|'.join(branches)})"),
        st.builds(
            lambda part, repeat: f"(?:{part}){repeat}",
            inner,
            st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "+?", "*?", "++"]),
        ),
        st.builds(
            lambda opening, part: f"({opening}{part})",
            st.sampled_from(["", "?=", "?!", "?<!x)(?:", "?>", "?i:", "?-i:", "?s-i:", "?P<n>"]),
            inner,
        ),
    ),
    max_leaves=5,
)
flags = st.sampled_from(
    [0, re.IGNORECASE, re.MULTILINE, re.IGNORECASE | re.DOTALL, re.VERBOSE, re.IGNORECASE | re.ASCII]
)
texts = st.text(LETTERS, max_size=12)


def lowered(text):
    """As both databases do it: the letters of ASCII only."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(patterns, flags, st.lists(texts, min_size=1, max_size=20))
@example("^ab|c", 0, ["c"])
@example("(?:^)?ab", 0, ["xab"])
@example("^a", re.MULTILINE, ["b\na"])
@example("k", re.IGNORECASE, ["\u212a"])
@example("s", re.IGNORECASE, ["\u017f"])
@example("i", re.IGNORECASE, ["\u0130"])
@example("(?:ab)*a", 0, ["xa"])
def test_whatever_is_found_has_what_the_expression_needs(pattern, flag, found):
    try:
        compiled = re.compile(pattern, flag)
    except re.error:
        return
    need = needed(compiled)
    for text in found:
        if compiled.search(text):
            assert text.startswith(need.beginning)
            for part in need.parts:
                assert part.text in (lowered(text) if part.is_lowered else text)


@pytest.mark.parametrize(
    ("pattern", "beginning", "parts"),
    [
        ("relax", "", [("relax", False)]),
        ("^relax [12]$", "relax ", [("relax ", False)]),
        (r"\Aa\.b", "a.b", [("a.b", False)]),
        ("static|band", "", []),
        ("(?i)Band [A-Z]+ Structure", "", [("band ", True), (" ", True), ("tructure", True)]),
        ("(^re)(lax)?x", "re", [("re", False), ("x", False)]),
        ("a(?:bc)+d", "", [("abc", False), ("d", False)]),
        (r"\d+", "", []),
        ("(?m)^ab", "", [("ab", False)]),
        ("a\0b\ud800c", "", [("a", False), ("b", False), ("c", False)]),
    ],
)
def test_what_an_expression_needs(pattern, beginning, parts):
    assert needed(re.compile(pattern)) == Needed(beginning, tuple(Part(*part) for part in parts))


def test_an_interpreter_whose_parser_is_elsewhere_gets_no_hints(monkeypatch):
    monkeypatch.setattr(regular_expressions, "_PARSER", None)
    assert needed(re.compile("never asked before")) == Needed("", ())
