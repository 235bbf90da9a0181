"""Commands of `tow job files`."""
