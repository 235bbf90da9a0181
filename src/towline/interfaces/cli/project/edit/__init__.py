"""Commands of `tow project edit`."""
