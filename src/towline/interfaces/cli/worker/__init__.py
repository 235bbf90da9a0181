"""`tow worker`."""
