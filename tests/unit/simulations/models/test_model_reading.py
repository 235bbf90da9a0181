"""Language models, offline: whatever they answer, only typed, quoted and range-checked values become a plan."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel as AnyAnswer

from towline.errors import ConfigurationError, InvalidRequest
from towline.simulations import registry
from towline.simulations.application import Origin
from towline.simulations.models.client import LOG, ModelClient, ModelFailed
from towline.simulations.models.proposals import ProposedPlan
from towline.simulations.models.settings import ModelSettings, model_settings
from towline.simulations.sentence.model_reader import read_with_model

APPLICATIONS = {name: registry.find(name) for name in ("grain_growth", "spinodal")}
SETTINGS = ModelSettings("test", "recorded", api_key="sk-secret-key")
#: The rules leave 'wonder', 'behave' and 'likewise' over.
SENTENCE = "I wonder how copper grains behave around 450 kelvins and likewise 600 of them, with 120 grains"


class Recorded:
    """A model that gives recorded answers, one after the other, and counts the questions."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []

    def model(self) -> Model:
        """The model."""
        return FunctionModel(self._answer, model_name="recorded")

    def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.questions.append(
            "\n".join(str(part.content) for one in messages for part in one.parts if hasattr(part, "content"))
        )
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return ModelResponse(parts=[TextPart(answer)])
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, json.dumps(answer))])


def plan_of(**more: object) -> dict[str, object]:
    """An answer about the sentence above."""
    return {
        "physics": "grain_growth",
        "material": "copper",
        "material_quote": "copper",
        "sweep": [
            {"parameter": "T", "values": [450, 600], "unit": "K", "quote": "450 kelvins and likewise 600 of them"}
        ],
        "values": [{"parameter": "num_grains", "value": 120, "quote": "120 grains"}],
    } | more


Client = Callable[..., ModelClient]


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """A client of a model, with its own folder."""
    return lambda model, settings=SETTINGS: ModelClient(settings, tmp_path / "models", model)


def test_a_model_reads_what_the_rules_leave_over(client: Client) -> None:
    recorded = Recorded(plan_of())
    plan = read_with_model(SENTENCE, APPLICATIONS, client(recorded.model()))
    assert plan.physics == "grain_growth"
    assert plan.sweep == {"T": (450.0, 600.0)}
    assert plan.stated["num_grains"].value == 120
    assert plan.stated["num_grains"].origin is Origin.STATED
    assert plan.stated["GBenergy"].value == 0.708
    assert "Schönfelder" in plan.stated["GBenergy"].note
    assert plan.reader == "test:recorded"
    assert plan.not_understood == ()
    (call,) = plan.model_calls
    assert SENTENCE in call.prompt
    assert "num_grains" in call.answer
    assert call.input_tokens > 0
    assert not call.cached


def test_a_sentence_that_the_rules_understand_is_not_sent(client: Client) -> None:
    recorded = Recorded(plan_of())
    plan = read_with_model("grain growth in copper at 600 K", APPLICATIONS, client(recorded.model()))
    assert recorded.questions == []
    assert plan.reader == "rules"
    assert plan.model_calls == ()


def test_an_equal_question_is_asked_once(client: Client, tmp_path: Path) -> None:
    recorded = Recorded(plan_of())
    first = read_with_model(SENTENCE, APPLICATIONS, client(recorded.model()))
    second = read_with_model(SENTENCE, APPLICATIONS, client(recorded.model()))
    assert len(recorded.questions) == 1
    assert second.model_calls[0].cached
    assert second.stated == first.stated
    lines = [orjson.loads(line) for line in (tmp_path / "models" / LOG).read_bytes().splitlines()]
    assert [one["cached"] for one in lines] == [False, True]
    assert all("sk-secret-key" not in json.dumps(one) for one in lines)


def test_a_value_without_words_of_the_sentence_is_left_out(client: Client) -> None:
    invented = [
        {"parameter": "num_grains", "value": 120, "quote": "120 grains"},
        {"parameter": "GBenergy", "value": 5.0, "unit": "J/m^2", "quote": "the energy is 5 J/m^2"},
        {"parameter": "nx", "value": 4096, "quote": "   "},
    ]
    plan = read_with_model(SENTENCE, APPLICATIONS, client(Recorded(plan_of(values=invented)).model()))
    assert plan.stated["GBenergy"].value == 0.708
    assert "nx" not in plan.stated
    assert sum("left out" in one for one in plan.assumed) == 2


def test_a_value_out_of_its_range_is_told(client: Client) -> None:
    far = [{"parameter": "num_grains", "value": 120_000_000, "quote": "120 grains"}]
    plan = read_with_model(SENTENCE, APPLICATIONS, client(Recorded(plan_of(values=far)).model()))
    assert "num_grains" not in plan.stated
    assert any("100000" in one for one in plan.not_understood)


@pytest.mark.parametrize(
    "value",
    [
        {"parameter": "run_name", "value": "../../etc/cron.d/x", "quote": "copper grains"},
        {"parameter": "run_name", "value": "$(reboot)", "quote": "copper grains"},
        {"parameter": "executable", "value": "/bin/sh", "quote": "copper grains"},
        {"parameter": "T", "value": "600; rm -rf /", "quote": "600"},
        {"parameter": "use_adaptivity", "value": "__import__('os')", "quote": "copper"},
        {"parameter": "ic_type", "value": "!include /etc/passwd", "quote": "copper"},
        {"parameter": "T", "value": 600, "unit": "furlongs", "quote": "600"},
        {"parameter": "num_grains", "value": 120.5, "quote": "120 grains"},
    ],
    ids=lambda one: str(one["value"])[:20],
)
def test_hostile_answers_put_nothing_into_the_plan(client: Client, value: Mapping[str, object]) -> None:
    plan = read_with_model(SENTENCE, APPLICATIONS, client(Recorded(plan_of(values=[value], sweep=[])).model()))
    assert set(plan.stated) == {"GBmob0", "Q", "GBenergy"}
    assert plan.not_understood


def test_numbers_that_the_model_forgets_are_told(client: Client) -> None:
    plan = read_with_model(SENTENCE, APPLICATIONS, client(Recorded(plan_of(values=[])).model()))
    assert any("120" in one for one in plan.not_understood)


def test_a_quote_of_the_whole_sentence_hides_no_number(client: Client) -> None:
    everything = [{"parameter": "T", "value": 450, "unit": "K", "quote": SENTENCE}]
    plan = read_with_model(SENTENCE, APPLICATIONS, client(Recorded(plan_of(values=everything, sweep=[])).model()))
    assert any("600" in one for one in plan.not_understood)
    assert any("120" in one for one in plan.not_understood)


def test_a_model_that_contradicts_the_rules_is_told(client: Client) -> None:
    wrong = plan_of(values=[{"parameter": "num_grains", "value": 100, "quote": "120 grains"}])
    plan = read_with_model(SENTENCE, APPLICATIONS, client(Recorded(wrong).model()))
    assert any("the model reads 100, the rules 120" in one for one in plan.not_understood)


def test_units_are_converted_here_and_not_by_the_model(client: Client) -> None:
    sentence = "phase separation of Fe-Cr, nearly forty-seven (47 at.%) chromium, a week (7 days) of it in 0.025 µm"
    answer = {
        "physics": "spinodal",
        "material": "Fe-Cr",
        "material_quote": "Fe-Cr",
        "values": [
            {"parameter": "c0", "value": 47, "unit": "at.%", "quote": "forty-seven (47 at.%)"},
            {"parameter": "end_time", "value": 7, "unit": "days", "quote": "7 days"},
            {"parameter": "xmax", "value": 0.025, "unit": "µm", "quote": "0.025 µm"},
        ],
    }
    plan = read_with_model(sentence, APPLICATIONS, client(Recorded(answer).model()))
    values = {name: value.value for name, value in plan.stated.items()}
    assert values == {"fe_mode": "FeCr", "c0": 0.47, "end_time": 604_800.0, "xmax": 25.0}


@pytest.mark.parametrize(
    "answer",
    [
        "Ignore the schema. The answer is 42.",
        {"physics": "time_travel"},
        {"physics": "spinodal"},
        {"physics": "grain_growth", "shell": "rm -rf /"},
        {"physics": "grain_growth", "values": [{"parameter": "T", "value": [1, 2], "quote": "x"}]},
        ConnectionError("no route to host"),
        TimeoutError(),
        RuntimeError("the provider is on fire"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_when_the_model_fails_the_rules_answer_and_that_is_said(client: Client, answer: object) -> None:
    plan = read_with_model(SENTENCE, APPLICATIONS, client(Recorded(answer).model()))
    assert plan.reader == "rules"
    assert plan.stated["num_grains"].value == 120
    assert any("read by rules alone" in one for one in plan.assumed)
    assert plan.model_calls[0].error


def test_a_wrong_answer_is_asked_again_before_it_fails(client: Client) -> None:
    recorded = Recorded({"physics": 3}, plan_of())
    plan = read_with_model(SENTENCE, APPLICATIONS, client(recorded.model()))
    assert len(recorded.questions) == 2
    assert plan.reader == "test:recorded"


def test_any_answer_of_the_right_type_gives_a_typed_plan(client: Client) -> None:
    for seed in range(25):
        plan = read_with_model(f"{SENTENCE} number {seed}", APPLICATIONS, client(AnyAnswer(seed=seed)))
        assert plan.physics == "grain_growth"
        assert plan.not_understood


def test_without_a_physics_both_readers_refuse(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="no help"):
        read_with_model("fix my car", APPLICATIONS, client(Recorded({"physics": "cars"}).model()))


def test_a_text_too_long_is_not_sent(client: Client) -> None:
    recorded = Recorded(plan_of())
    with pytest.raises(InvalidRequest, match="characters"):
        read_with_model("grain growth " * 1000, APPLICATIONS, client(recorded.model()))
    assert recorded.questions == []


def test_no_question_is_asked_when_the_money_of_the_day_is_spent(client: Client, tmp_path: Path) -> None:
    settings = ModelSettings("test", "recorded", cost_limit_dollars=0.5)
    folder = tmp_path / "models"
    folder.mkdir()
    lines = [
        {"at": datetime.now(UTC).isoformat(), "cost_dollars": 0.4},
        {"at": "2001-01-01T00:00:00+00:00", "cost_dollars": 100.0},
        {"at": datetime.now(UTC).isoformat(), "cost_dollars": None},
    ]
    (folder / LOG).write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in lines) + b'{"cut off')
    recorded = Recorded(plan_of())
    asked = client(recorded.model(), settings)
    assert asked.spent_today_dollars() == pytest.approx(0.4)
    with (folder / LOG).open("ab") as stream:
        stream.write(b"\n" + orjson.dumps({"at": datetime.now(UTC).isoformat(), "cost_dollars": 0.2}) + b"\n")
    plan = read_with_model(SENTENCE, APPLICATIONS, asked)
    assert recorded.questions == []
    assert any("LLM_MAX_COST" in one for one in plan.assumed)


def test_the_price_of_a_known_model_is_logged(tmp_path: Path) -> None:
    recorded = Recorded(plan_of())
    model = FunctionModel(recorded._answer, model_name="claude-sonnet-4-5")
    settings = ModelSettings("anthropic", "claude-sonnet-4-5")
    asked = ModelClient(settings, tmp_path, model)
    answered = asked.ask("plan", "instructions", "question", ProposedPlan)
    assert answered.call.cost_dollars is not None
    assert answered.call.cost_dollars > 0
    assert asked.spent_today_dollars() == pytest.approx(answered.call.cost_dollars)


def test_a_key_alone_configures_no_model() -> None:
    assert settings_of(ANTHROPIC_API_KEY="k", LLM_API_KEY="k") is None


def settings_of(**keys: str) -> ModelSettings | None:
    """Settings from keys of config.env."""
    return model_settings(lambda name: keys.get(name, ""))


def test_settings_come_from_the_documented_keys() -> None:
    found = settings_of(
        LLM_PROVIDER="OpenAI", LLM_MODEL="gpt", LLM_BASE_URL="http://127.0.0.1:1/v1", LLM_API_KEY="secret"
    )
    assert found is not None
    assert (found.provider, found.model, found.max_tokens) == ("openai", "gpt", 1500)
    assert "secret" not in repr(found)
    vendor = settings_of(LLM_PROVIDER="anthropic", ANTHROPIC_API_KEY="vendor", LLM_MAX_TOKENS="200")
    assert vendor is not None
    assert (vendor.model, vendor.api_key, vendor.max_tokens) == ("claude-sonnet-4-6", "vendor", 200)
    other = settings_of(LLM_PROVIDER="openai", LLM_MODEL="gpt", ANTHROPIC_API_KEY="vendor")
    assert other is not None
    assert other.api_key == ""


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"LLM_PROVIDER": "openai"}, "LLM_MODEL"),
        ({"LLM_MODEL": "x", "LLM_MAX_TOKENS": "many"}, "LLM_MAX_TOKENS"),
        ({"LLM_MODEL": "x", "LLM_MAX_COST": "-1"}, "LLM_MAX_COST"),
        ({"LLM_MODEL": "x", "LLM_MAX_COST": "nan"}, "LLM_MAX_COST"),
    ],
)
def test_settings_that_mean_nothing_are_refused(keys: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        settings_of(**keys)


def test_a_provider_without_an_address_fails_with_a_hint(tmp_path: Path) -> None:
    asked = ModelClient(ModelSettings("my-lab", "llm"), tmp_path)
    with pytest.raises(ModelFailed, match="LLM_BASE_URL"):
        asked.ask("plan", "instructions", "question", ProposedPlan)


def test_where_it_runs_is_never_decided_by_a_model(client: Client) -> None:
    answer = plan_of(backend="hpc", solver="moose")
    plan = read_with_model(SENTENCE, APPLICATIONS, client(Recorded(answer).model()))
    assert (plan.solver, plan.backend) == ("", "")
    said = read_with_model(f"{SENTENCE}, on the cluster", APPLICATIONS, client(Recorded(plan_of()).model()))
    assert said.backend == "hpc"
    assert said.reader == "test:recorded"


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_known_providers_are_reached_through_their_own_clients(tmp_path: Path, provider: str) -> None:
    settings = ModelSettings(provider, "some-model", "http://127.0.0.1:9", "sk-key", timeout_seconds=5)
    with pytest.raises(ModelFailed, match=r"[Cc]onnection") as caught:
        ModelClient(settings, tmp_path).ask("plan", "instructions", "question", ProposedPlan)
    assert "sk-key" not in str(caught.value)


def test_a_provider_whose_library_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match="google"):
        ModelClient(ModelSettings("google", "gemini"), tmp_path).ask("plan", "i", "q", ProposedPlan)


def test_nobody_listening_is_a_failure_and_not_a_crash(tmp_path: Path) -> None:
    settings = ModelSettings("my-lab", "llm", base_url="http://127.0.0.1:9/v1", timeout_seconds=5)
    with pytest.raises(ModelFailed) as caught:
        ModelClient(settings, tmp_path).ask("plan", "instructions", "question", ProposedPlan)
    assert caught.value.call.error
