"""`tow project`."""
