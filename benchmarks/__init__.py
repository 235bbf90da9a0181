"""Measured, compared with peers and floors: ``python -m benchmarks``. Not timed tests.

Every figure is a ratio between towline and a floor or a peer, taken alternating in one run. Each side of a comparison
runs in a process of its own (:mod:`benchmarks.side`), so that neither carries the other's imports.
"""
