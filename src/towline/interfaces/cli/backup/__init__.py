"""Commands of `tow backup`."""
