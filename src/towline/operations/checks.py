"""What a check found."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from towline.errors import TowlineError


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


def guarded(subject: str, check: Callable[[], Check]) -> Check:
    """What `check` found; an error of any kind is a finding too."""
    try:
        found = check()
    except TowlineError as error:
        return Check(subject, Outcome.FAILED, str(error), details=traceback.format_exc())
    except Exception as error:  # stores and drivers raise what they like; to find that out is what a check is for
        message = f"{type(error).__name__}: {error}"
        remedy = "correct the configuration of it; `--errors` shows the traceback"
        return Check(subject, Outcome.FAILED, message, remedy, traceback.format_exc())
    return Check(subject, found.outcome, found.message, found.remedy, found.details)
