"""Whatever somebody types: a typed plan or a refusal, and no number is lost."""

import math
import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from towline.errors import InvalidRequest
from towline.simulations import registry
from towline.simulations.application import Value
from towline.simulations.sentence import Plan, read

APPLICATIONS = {name: registry.find(name) for name in ("grain_growth", "spinodal")}
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = (
    *(
        "grain growth",
        "spinodal decomposition",
        "copper",
        "Fe-Cr",
        "between",
        "from",
        "to",
        "and",
        "with",
        "at",
        "in steps of",
        "of",
        "by",
        "x",
    ),
    *(
        "grains",
        "temperatures",
        "seeds",
        "box",
        "elements",
        "each",
        "periodic",
        "in x",
        "3-D",
        "not",
        "interface width",
        "time step",
        "dt",
    ),
    *(
        "K",
        "°C",
        "nm",
        "µm",
        "ns",
        "s",
        "at.%",
        "%",
        "eV",
        "J/m^2",
        "C",
        "hundred",
        "thousand",
        "four",
        "seven",
        "half a",
        "dozen",
        "point",
    ),
    *(
        ",",
        ";",
        ":",
        "=",
        "±",
        "-",
        "–",
        "(",
        ")",
        "...",
        "T",
        "n_grains",
        "c0",
        "seed",
        "M",
        "run_name",
        "fe_mode",
        "every",
        "values",
        "2d_quick",
    ),
)
NUMBERS = st.one_of(
    st.integers(-5, 10**7).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        ["1,000", "300,450,600", "46,77", "2.5e-6", "10^3", "2 × 10^-4", "1e400", "0", "00", "1.2.3", "½", "٣", "10⁻⁶"]
    ),
)
PIECES = st.lists(st.one_of(st.sampled_from(WORDS), NUMBERS), max_size=25)


def check_plan(text: str) -> None:
    """A sentence is refused, or every number of it stands somewhere in a typed plan."""
    try:
        plan = read(text, APPLICATIONS)
    except InvalidRequest:
        return
    _check_types(plan)
    told = "\n".join((*plan.understood, *plan.assumed, *plan.not_understood))
    for digits in re.findall(r"[0-9]+", text):
        assert digits in told, f"{digits} of {text!r} is lost in\n{told}"


def _check_types(plan: Plan) -> None:
    application = APPLICATIONS[plan.physics]
    kinds = {one.name: one.kind for one in application.parameters}
    for name, value in plan.stated.items():
        assert isinstance(value, Value)
        assert kinds[name] in (float, int) or type(value.value) is kinds[name]
    for name, values in plan.sweep.items():
        assert kinds[name] in (float, int)
        assert len(values) > 1
        assert all(isinstance(one, float | int) and not math.isnan(one) for one in values)
    assert not set(plan.stated) & set(plan.sweep)


@SETTINGS
@example(["elements", "0", "-5.992310449541053e+307"], "grain growth")
@given(PIECES, st.sampled_from(["grain growth", "spinodal decomposition of Fe-Cr", ""]))
def test_no_number_is_lost(pieces: list[str], beginning: str) -> None:
    check_plan(" ".join([beginning, *pieces]))


@SETTINGS
@given(PIECES)
def test_no_number_is_lost_without_spaces(pieces: list[str]) -> None:
    check_plan("grain growth " + "".join(pieces))


@SETTINGS
@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_gives_a_plan_or_a_refusal(text: str, more: str) -> None:
    check_plan(text)
    check_plan(f"{more} grain growth in copper {text}")
