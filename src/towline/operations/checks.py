"""What a check found."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from towline.errors import TowlineError

#: Characters of an error of somebody else.
_LONGEST_MESSAGE = 200


class Outcome(str, Enum):
    """What came of a check."""

    OK = "ok"
    WARNING = "warning"  #: works, and may surprise
    FAILED = "failed"  #: jobs cannot run like this


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried."""

    subject: str
    outcome: Outcome
    #: What was found.
    message: str
    #: What to do about it; None when there is nothing to do.
    remedy: str | None = None
    #: Traceback or output, for `--errors`.
    details: str | None = None


def ok(subject: str, message: str) -> Check:
    """A check that found nothing wrong."""
    return Check(subject, Outcome.OK, message)


def guarded(subject: str, check: Callable[[], Check], remedy: str | None = None) -> Check:
    """What `check` found; an error of any kind is a finding too.

    Parameters
    ----------
    remedy
        What to do about an error that does not say it itself.
    """
    try:
        found = check()
    except TowlineError as error:
        return Check(subject, Outcome.FAILED, str(error), remedy, traceback.format_exc())
    except Exception as error:  # stores and drivers raise what they like; to find that out is what a check is for
        remedy = remedy or "correct the configuration of it; `--errors` shows the traceback"
        return Check(subject, Outcome.FAILED, _first_words(error), remedy, traceback.format_exc())
    return Check(subject, found.outcome, found.message, found.remedy, found.details)


def _first_words(error: Exception) -> str:
    """An error in a line: some drivers write whole pages, which are in the details."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"
