"""Simulation apps: parameters with units and ranges, writers, readers of results, checks that could falsify them."""
