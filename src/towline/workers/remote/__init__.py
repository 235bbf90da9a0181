"""The worker whose jobs run behind a transport and a scheduler."""
