"""From a sentence to a typed plan: by rules, or by a language model whose proposal is checked."""
