"""Python environments on workers: what is to be in them, how it gets there, and how they are looked at."""
