"""`tow batch`."""
