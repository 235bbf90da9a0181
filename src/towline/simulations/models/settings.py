"""Which language model may be asked, and for how much; from the keys of ``config.env``."""

from collections.abc import Callable
from dataclasses import dataclass, field

from towline.errors import ConfigurationError

#: Asked when only the provider is named.
_USUAL_MODELS = {"anthropic": "claude-sonnet-4-6"}
_MAX_TOKENS = "1500"
#: In dollars a day, together.
_MAX_COST = "1"


@dataclass(frozen=True)
class ModelSettings:
    """A provider, a model of it, and the limits."""

    provider: str
    model: str
    base_url: str = ""
    #: Never shown.
    api_key: str = field(default="", repr=False)
    #: Of one answer.
    max_tokens: int = 1500
    #: All questions of one day together; models without a known price count as free.
    cost_limit_dollars: float = 1.0
    timeout_seconds: float = 120.0


def model_settings(value_of: Callable[[str], str]) -> ModelSettings | None:
    """The settings of the keys ``LLM_…``; None when no model is configured.

    A key of a provider alone configures nothing: it may be there for another program.

    Parameters
    ----------
    value_of
        The value of a key of ``config.env``; empty if it has none.

    Raises
    ------
    ConfigurationError
        The model is missing, or a limit is no number.
    """
    provider, model = value_of("LLM_PROVIDER").strip().lower(), value_of("LLM_MODEL").strip()
    if not provider and not model:
        return None
    provider = provider or "anthropic"
    model = model or _USUAL_MODELS.get(provider, "")
    if not model:
        raise ConfigurationError(f"LLM_PROVIDER is {provider!r}, but no model is named; set LLM_MODEL")
    vendor_key = value_of("ANTHROPIC_API_KEY") if provider == "anthropic" else ""
    return ModelSettings(
        provider,
        model,
        value_of("LLM_BASE_URL").strip(),
        value_of("LLM_API_KEY") or vendor_key,
        int(_number(value_of, "LLM_MAX_TOKENS", _MAX_TOKENS, least=1)),
        _number(value_of, "LLM_MAX_COST", _MAX_COST, least=0),
    )


def _number(value_of: Callable[[str], str], key: str, usual: str, *, least: float) -> float:
    text = value_of(key).strip() or usual
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number < float("inf"):
        raise ConfigurationError(f"{key} is {text!r}; give a number of at least {least:g}")
    return number
