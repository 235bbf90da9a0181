"""Language models: they propose, and what they propose is checked like the words of a stranger."""
