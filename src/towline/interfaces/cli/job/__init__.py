"""Commands of `tow job`."""
