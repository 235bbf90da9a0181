"""Whatever a model proposes, accepted values are of their kind, within their range, and quoted from the sentence."""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from towline.errors import InvalidRequest
from towline.simulations import registry
from towline.simulations.models.calls import ModelCall
from towline.simulations.models.client import Answered, ModelClient
from towline.simulations.models.proposals import ProposedPlan
from towline.simulations.models.settings import ModelSettings
from towline.simulations.parameters import checked
from towline.simulations.sentence.model_reader import read_with_model

APPLICATIONS = {name: registry.find(name) for name in ("grain_growth", "spinodal")}
SENTENCE = (
    "whatever copper grains do near 450 kelvins, 600 as well, 120 of them, in boxes like 1 µm, seed 7, 46.77 at.% Cr"
)
NAMES = [one.name for application in APPLICATIONS.values() for one in application.parameters] + [
    "shell",
    "",
    "__class__",
]
QUOTES = st.one_of(
    st.tuples(st.integers(0, len(SENTENCE)), st.integers(1, 30)).map(
        lambda cut: SENTENCE[cut[0] : cut[0] + cut[1]] or "x"
    ),
    st.text(min_size=1, max_size=20),
)
UNITS = st.sampled_from(["", "K", "nm", "µm", "s", "at.%", "%", "eV", "furlong", "K; rm -rf /", "°C"])
NUMBERS = st.one_of(
    st.integers(-10, 10**7), st.floats(-1e9, 1e9, allow_nan=False), st.sampled_from([450, 600, 120, 1, 7, 46.77])
)
VALUE = st.fixed_dictionaries(
    {
        "parameter": st.sampled_from(NAMES),
        "value": st.one_of(NUMBERS, st.booleans(), st.text(max_size=20)),
        "unit": UNITS,
        "quote": QUOTES,
    }
)
SWEEP = st.fixed_dictionaries(
    {
        "parameter": st.sampled_from(NAMES),
        "values": st.lists(NUMBERS, min_size=2, max_size=5),
        "unit": UNITS,
        "quote": QUOTES,
    }
)
PLAN = st.fixed_dictionaries(
    {
        "physics": st.sampled_from(["grain_growth", "grain_growth", "spinodal", "magic"]),
        "material": st.sampled_from(["", "copper", "Fe-Cr", "gold", "../x"]),
        "material_quote": QUOTES,
        "values": st.lists(VALUE, max_size=6),
        "sweep": st.lists(SWEEP, max_size=3),
        "random_starts": st.none() | st.integers(1, 1000),
        "random_starts_quote": st.just("") | QUOTES,
        "not_understood": st.lists(st.text(max_size=10), max_size=3),
    }
)


class Proposing(ModelClient):
    """A model that has this answer."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(ModelSettings("test", "fuzz"), Path("unused"))
        self.answer = answer

    def ask(self, purpose: str, instructions: str, question: str, answer: Any) -> Answered[Any]:
        """Give the answer, as far as it is of the right type."""
        return Answered(answer.model_validate(self.answer), ModelCall("test", "fuzz", purpose, question, "{}"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLAN)
def test_only_checked_and_quoted_values_are_accepted(answer: dict[str, Any]) -> None:
    ProposedPlan.model_validate(answer)
    try:
        plan = read_with_model(SENTENCE, APPLICATIONS, Proposing(answer))
    except InvalidRequest:
        return
    told = " ".join((*plan.understood, *plan.assumed, *plan.not_understood))
    for digits in ("450", "600", "120", "46.77", "1 µm", "7"):
        assert digits in told
    if plan.reader == "rules":
        return
    application = APPLICATIONS[plan.physics]
    parameters = {one.name: one for one in application.parameters}
    for name, value in plan.stated.items():
        assert checked(parameters[name], value.value).value == value.value
        assert value.unit == parameters[name].unit
    for name, values in plan.sweep.items():
        assert name not in plan.stated
        for one in values:
            assert checked(parameters[name], one).value == one
    quotes = [one["quote"] for one in (*answer["values"], *answer["sweep"])]
    for name in set(plan.stated) - {"GBmob0", "Q", "GBenergy", "fe_mode"} | set(plan.sweep):
        assert any(" ".join(quote.split()).casefold() in SENTENCE.casefold() for quote in quotes), name
