"""Waiting in tests: for a condition, with a deadline, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_NAP_SECONDS = 0.005


def wait_until(condition: Callable[[], Found], timeout_seconds: float = 30, what: str = "the condition") -> Found:
    """Look again and again until `condition` gives something true, and return that.

    Raises
    ------
    AssertionError
        It did not in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {timeout_seconds:g} s")
        time.sleep(_NAP_SECONDS)
    return found
