"""Builders and contract suites for tests, towline's own and those of extensions."""
