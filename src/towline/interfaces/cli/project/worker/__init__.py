"""`tow project worker`."""
