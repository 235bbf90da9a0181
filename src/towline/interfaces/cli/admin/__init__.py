"""Commands of `tow admin`."""
