"""Commands of `tow execution`."""
