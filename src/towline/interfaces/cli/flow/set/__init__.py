"""`tow flow set`."""
