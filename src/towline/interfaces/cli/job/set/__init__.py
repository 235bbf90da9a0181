"""Commands of `tow job set`."""
