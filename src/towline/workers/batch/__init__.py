"""Batch workers: many jobs inside allocations of a scheduler, by way of a spool on the worker and pilots in them."""
