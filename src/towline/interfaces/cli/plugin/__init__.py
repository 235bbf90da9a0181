"""Commands of `tow plugin`."""
