"""Text in, text out: what the schedulers are given."""
