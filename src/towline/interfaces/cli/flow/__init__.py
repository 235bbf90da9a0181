"""Commands of `tow flow`."""
