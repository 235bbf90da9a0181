"""Commands of `tow runner`."""
