"""Asking a language model for a typed answer: cached, logged, and within a limit of cost. The only file that knows
pydantic-ai."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from towline.errors import TowlineError
from towline.simulations.models.calls import ModelCall
from towline.simulations.models.settings import ModelSettings

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.run import AgentRunResult

#: In the folder of the questions: one line per question, and one file per answer.
LOG = "calls.jsonl"
_ANSWERS = "answers"
#: Tries of one question, with what was wrong with the last answer.
_TRIES = 3

Answer = TypeVar("Answer", bound=BaseModel)


class ModelFailed(TowlineError):
    """A language model gave no usable answer; what follows has to do without.

    Attributes
    ----------
    call
        The record of the question.
    """

    def __init__(self, message: str, call: ModelCall) -> None:
        super().__init__(message)
        self.call = replace(call, error=message)


@dataclass(frozen=True)
class Answered(Generic[Answer]):
    """A typed answer, and what it took."""

    value: Answer
    call: ModelCall


class ModelClient:
    """A language model that is asked for typed answers.

    Parameters
    ----------
    settings
        Provider, model, limits.
    folder
        Where questions and answers are kept; equal questions are asked once.
    model
        Asked instead of the one that the settings name.
    """

    def __init__(self, settings: ModelSettings, folder: Path, model: "Model | None" = None) -> None:
        self._settings, self._folder, self._model = settings, folder, model

    @property
    def name(self) -> str:
        """Provider and model."""
        return f"{self._settings.provider}:{self._settings.model}"

    def ask(self, purpose: str, instructions: str, question: str, answer: type[Answer]) -> Answered[Answer]:
        """Ask, or find the answer that the same question had before.

        Raises
        ------
        ModelFailed
            There is no usable answer: no library, no connection, no money left for today, or something else than was
            asked for.
        """
        call = ModelCall(
            self._settings.provider, self._settings.model, purpose, f"{instructions}\n\n{question}", answer=""
        )
        kept = self._folder / _ANSWERS / f"{self._key(call, answer)}.json"
        found = _kept_answer(kept, answer)
        if found is not None:
            call = replace(call, answer=found.model_dump_json(), cached=True)
            self._log(call)
            return Answered(found, call)
        self._refuse_when_spent(call)
        started = time.monotonic()
        try:
            result = self._run(instructions, question, answer)
        except ModelFailed:
            raise
        except Exception as error:  # a provider's library may raise anything, and nothing here may end with it
            failed = ModelFailed(f"{self.name} gave no usable answer: {_told(error)}", call)
            self._log(replace(failed.call, seconds=time.monotonic() - started))
            raise failed from error
        call = _completed(call, result, time.monotonic() - started)
        self._log(call)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(call.answer, encoding="utf-8")
        return Answered(result.output, call)

    def spent_today_dollars(self) -> float:
        """What the questions of this day cost so far, as far as prices are known."""
        today = datetime.now(UTC).date().isoformat()
        costs = [one.get("cost_dollars") for one in self._logged() if str(one.get("at")).startswith(today)]
        return float(sum(one for one in costs if isinstance(one, int | float)))

    def _run(self, instructions: str, question: str, answer: type[Answer]) -> "AgentRunResult[Answer]":
        from pydantic_ai import Agent
        from pydantic_ai.settings import ModelSettings as CallSettings
        from pydantic_ai.usage import UsageLimits

        limits = UsageLimits(request_limit=_TRIES)
        agent = Agent(
            self._model or self._connected(),
            output_type=answer,
            instructions=instructions,
            retries=_TRIES - 1,
            model_settings=CallSettings(
                max_tokens=self._settings.max_tokens, temperature=0.0, timeout=self._settings.timeout_seconds
            ),
        )

        def run() -> "AgentRunResult[Answer]":
            return asyncio.run(agent.run(question, usage_limits=limits))

        # In a thread of its own, because a notebook has a loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(run).result()

    def _connected(self) -> "Model":
        """The model that the settings name; what pydantic-ai has no provider for speaks OpenAI's protocol."""
        from pydantic_ai.models import infer_model
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers import Provider, infer_provider_class
        from pydantic_ai.providers.openai import OpenAIProvider

        settings = self._settings
        given = {"api_key": settings.api_key, "base_url": settings.base_url}
        given = {name: value for name, value in given.items() if value}
        try:
            infer_provider_class(settings.provider)
        except ValueError:
            if not settings.base_url:
                raise ValueError(f"the provider {settings.provider!r} is not known; set LLM_BASE_URL") from None
            # Servers on this machine want no key, their library does.
            provider = OpenAIProvider(base_url=settings.base_url, api_key=settings.api_key or "none")
            return OpenAIChatModel(settings.model, provider=provider)

        def connected(name: str) -> "Provider[object]":
            return infer_provider_class(name)(**given)

        return infer_model(f"{settings.provider}:{settings.model}", provider_factory=connected)

    def _key(self, call: ModelCall, answer: type[BaseModel]) -> str:
        parts = [call.provider, call.model, self._settings.base_url, call.purpose, call.prompt]
        return hashlib.sha256(json.dumps([*parts, answer.model_json_schema()]).encode()).hexdigest()

    def _refuse_when_spent(self, call: ModelCall) -> None:
        spent, limit = self.spent_today_dollars(), self._settings.cost_limit_dollars
        if spent >= limit:
            raise ModelFailed(
                f"questions to models cost {spent:.2f} dollars today, and {limit:g} are allowed; raise LLM_MAX_COST",
                call,
            )

    def _log(self, call: ModelCall) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        line = orjson.dumps({"at": datetime.now(UTC).isoformat(), **asdict(call)})
        with (self._folder / LOG).open("ab") as stream:
            stream.write(line + b"\n")

    def _logged(self) -> Iterator[dict[str, object]]:
        try:
            lines = (self._folder / LOG).read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # cut off by a full disk; it cost nothing that is known
            if isinstance(entry, dict):
                yield entry


def _kept_answer(file: Path, answer: type[Answer]) -> Answer | None:
    try:
        return answer.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def _completed(call: ModelCall, result: "AgentRunResult[Answer]", seconds: float) -> ModelCall:
    usage = result.usage
    return replace(
        call,
        answer=result.output.model_dump_json(),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_dollars=_cost(result),
        seconds=seconds,
    )


def _cost(result: "AgentRunResult[Answer]") -> float | None:
    """What the answers cost; None if the price of the model is not known."""
    from pydantic_ai.messages import ModelResponse

    total = 0.0
    try:
        for message in result.all_messages():
            if isinstance(message, ModelResponse):
                total += float(message.cost().total_price)
    except (LookupError, AssertionError, ValueError):
        return None
    return total


def _told(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"{error}; pip install 'towline[models]'"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
