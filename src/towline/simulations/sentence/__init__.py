"""From a sentence to a typed plan: by rules, or by a language model whose proposal is checked."""

from towline.simulations.sentence.plan import Plan
from towline.simulations.sentence.reader import read

__all__ = ["Plan", "read"]
