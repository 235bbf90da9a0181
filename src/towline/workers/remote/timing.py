"""How often a remote worker looks: often while something is new, seldom while everything has been running for long."""

from dataclasses import dataclass

#: Seconds between two looks into the run folders: at least, at most in the first ten minutes, and at most ever.
_SHORTEST, _SHORT, _LONGEST = 0.25, 1.5, 30.0
#: Part of the age of the newest job.
_SHARE, _LATE_SHARE = 0.4, 1 / 300
#: Seconds between two questions to a scheduler.
_SHORTEST_QUESTION, _LONGEST_QUESTION, _QUESTION_SHARE = 1.5, 60.0, 0.1


def look_seconds(age_seconds: float, last_end_seconds: float = _LONGEST) -> float:
    """Time to the next look when the newest job, or the newest end of one, is so old.

    Parameters
    ----------
    last_end_seconds
        When the last job will end, if they go on ending as they do.
    """
    early = min(_SHORT, max(_SHORTEST, _SHARE * age_seconds))
    usual = min(_LONGEST, max(early, _LATE_SHARE * age_seconds))
    return min(usual, max(_SHORTEST, last_end_seconds))


def question_seconds(age_seconds: float) -> float:
    """Time to the next question to the scheduler; files tell of starts and ends, so it is asked for the rest only."""
    return min(_LONGEST_QUESTION, max(_SHORTEST_QUESTION, _QUESTION_SHARE * age_seconds))


@dataclass(slots=True)
class Pause:
    """The time to leave a worker alone after something went wrong there."""

    first_seconds: float = 0.5
    longest_seconds: float = 5.0
    until: float = 0.0
    _seconds: float = 0.0

    def failed(self, now: float) -> None:
        """It went wrong once more."""
        self._seconds = min(self.longest_seconds, max(self.first_seconds, 2 * self._seconds))
        self.until = now + self._seconds

    def succeeded(self) -> None:
        """It works."""
        self._seconds, self.until = 0.0, 0.0
