"""How checks say what they found: each of them passes, fails or has no power, with its numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from towline.simulations.application import CheckResult, Outcome

Rows = tuple[int, int] | None


class Weight(Enum):
    """What a check means for the verdict."""

    #: A failure falsifies; without an answer there is no verdict.
    DECISIVE = "decisive"
    #: A failure falsifies; a run that is too short or too small for it may do without an answer.
    SUPPORTING = "supporting"
    #: It is told, and changes no verdict.
    ADVISORY = "advisory"


@dataclass(frozen=True)
class Question:
    """What a check asks; its answers are its results."""

    check: str
    title: str
    weight: Weight = Weight.DECISIVE
    #: What a failure probably comes from.
    cause: str = ""
    #: The class of failure that a failure feeds.
    recovery: str = ""

    def passed(self, reason: str, numbers: Mapping[str, float] | None = None, rows: Rows = None) -> CheckResult:
        """The result could not be proved wrong."""
        return self._result(Outcome.PASS, reason, numbers, rows)

    def failed(
        self, reason: str, numbers: Mapping[str, float] | None = None, rows: Rows = None, cause: str = ""
    ) -> CheckResult:
        """The result is wrong; `cause` replaces what is usual."""
        return self._result(Outcome.FAIL, reason, numbers, rows, cause or self.cause, self.recovery)

    def undecided(self, reason: str, numbers: Mapping[str, float] | None = None, rows: Rows = None) -> CheckResult:
        """There is too little to tell."""
        return self._result(Outcome.INCONCLUSIVE, reason, numbers, rows)

    def decided(
        self, holds: bool, reason: str, numbers: Mapping[str, float] | None = None, rows: Rows = None, cause: str = ""
    ) -> CheckResult:
        """Passed or failed, with the same words."""
        return self.passed(reason, numbers, rows) if holds else self.failed(reason, numbers, rows, cause)

    def _result(
        self,
        outcome: Outcome,
        reason: str,
        numbers: Mapping[str, float] | None,
        rows: Rows,
        cause: str = "",
        recovery: str = "",
    ) -> CheckResult:
        kept = {name: float(value) for name, value in (numbers or {}).items()}
        decides = self.weight is Weight.DECISIVE or (
            self.weight is Weight.SUPPORTING and outcome is not Outcome.INCONCLUSIVE
        )
        return CheckResult(self.check, self.title, outcome, reason, kept, rows, decides, cause=cause, recovery=recovery)


@dataclass(frozen=True)
class Range:
    """Numbers between two limits, which belong to it."""

    low: float = field(default=-math.inf)
    high: float = field(default=math.inf)

    def holds(self, value: float) -> bool:
        """Return whether a value lies within; nan does not."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}"
