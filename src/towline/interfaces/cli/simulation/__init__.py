"""`tow simulation`."""
