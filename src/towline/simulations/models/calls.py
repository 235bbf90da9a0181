"""The record of one question to a language model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelCall:
    """What was asked, what was answered, and what it took. No key is in it."""

    provider: str
    model: str
    purpose: str
    """What the question was for, as ``plan``."""
    prompt: str
    answer: str
    """Empty if there was none."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_dollars: float | None = None
    """None: the price of the model is not known."""
    seconds: float = 0.0
    cached: bool = False
    """Whether the answer is that of an earlier, equal question."""
    error: str = ""
    """Why there is no usable answer; empty if there is one."""
