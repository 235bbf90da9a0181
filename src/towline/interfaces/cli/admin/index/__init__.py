"""Commands of `tow admin index`."""
