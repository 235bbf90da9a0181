"""Places where jobs run, as the runner sees them."""
