"""`--profile`: where a command spends its time."""

import cProfile
import pstats
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LINES = 40


@contextmanager
def profiled() -> Iterator[None]:
    """Measure the block, and print the functions that took longest to standard error."""
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(_LINES)
