"""Names that a user may have meant."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """Ask for the known names that are spelled nearly like `name`.

    Returns
    -------
    ``did you mean a or b?``, or nothing when none is near.
    """
    near = difflib.get_close_matches(name, list(known), n=most)
    return f"did you mean {' or '.join(near)}?" if near else ""


def known_names(name: str, known: Iterable[str], introduction: str) -> str:
    """List the known names behind `introduction`, after the question whether one that is near was meant."""
    known = list(known)
    hint, listed = did_you_mean(name, known), f"{introduction} {', '.join(known)}"
    return f"{hint} {listed[0].upper()}{listed[1:]}" if hint else listed
