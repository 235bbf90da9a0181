"""Why a run failed: failures are told apart by what the scheduler, the exit code and the log say.

The rules are data (``remedies.toml`` of a physics and the one it shares): for each class of failure patterns, a real
excerpt of a log, what to do, and which numerical parameters to change. A step that was rejected and repeated is no
failure: only what ended a run counts.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from towline.simulations.application import CheckResult, Outcome, RunFiles
from towline.simulations.moose.console import ConsoleLog, Ending, read_console
from towline.simulations.remedies import Remedies, Remedy

#: Of a log that does not tell of its end, only this much at the end is looked at.
_TAIL_LINES = 60

#: Of a very long log, the beginning and the end.
_LARGEST_PART_BYTES = 32_000_000

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

#: Endings after which the last solve tells why.
_OF_THE_SOLVER = ("solver", "time step", "error", "floating point")

#: What accounting says of a run that did not end by itself, whatever its log says.
_SAYS_WHY = ("timeout", "out_of_memory", "node_failure", "preempted", "interrupted", "vanished", "not_started")

#: The class of failures that fit no other.
UNKNOWN = "INCOMPLETE_UNKNOWN"


@dataclass(frozen=True)
class Diagnosis:
    """Why a run failed, and on what evidence."""

    remedy: Remedy
    evidence: str
    """Lines of the log, or what accounting said."""
    source: str
    """``log``, ``accounting``, ``exit code`` or ``check``."""
    line: int | None = None
    """Of the log, from 1; None where the evidence is no line."""
    checks: tuple[str, ...] = ()
    """Ids of the checks that failed."""
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def failure(self) -> str:
        """The name of the class."""
        return self.remedy.failure

    def sentence(self) -> str:
        """The diagnosis as it is printed."""
        where = f"line {self.line} of the log" if self.line else self.source
        return f"{self.remedy.title} ({where}): {self.evidence.splitlines()[0] if self.evidence else 'no text'}"


def classify(files: RunFiles, reason: str | None, remedies: Remedies) -> Diagnosis | None:
    """Why a run failed; None when it did not, or when nobody knows how it ended and it may still run.

    Parameters
    ----------
    files
        What the run left.
    reason
        What the scheduler or towline's own record says of the end, in the words of
        :data:`towline.core.retry_policy.REASONS`; None if it says nothing.
    remedies
        Of the physics.
    """
    text = _read(files.log)
    console = read_console(text)
    if reason not in _SAYS_WHY and console.ending(files.exit_code) is Ending.COMPLETED:
        return None
    if reason is None and files.exit_code is None and console.ending() is Ending.UNKNOWN and text:
        # It may still run: only a scheduler that says otherwise is believed.
        from_outside = Remedies(tuple(one for one in remedies.entries if one.reasons))
        return _by_log(console, text, from_outside)
    by_accounting = _by_accounting(reason, remedies)
    return by_accounting or _by_log(console, text, remedies) or _by_exit(files, remedies) or _unknown(text, remedies)


def classify_checks(results: Sequence[CheckResult], remedies: Remedies) -> Diagnosis | None:
    """What a failed check asks for; None when no mandatory check that failed names a class of failures.

    Of several, the class that comes first in the remedies.
    """
    failed = [one for one in results if one.mandatory and one.outcome is Outcome.FAIL and one.recovery]
    for remedy in remedies.entries:
        mine = [one for one in failed if one.recovery == remedy.failure]
        if mine:
            evidence = "\n".join(f"{one.check} {one.title}: {one.reason}" for one in mine)
            numbers = {name: value for one in mine for name, value in one.numbers.items()}
            return Diagnosis(remedy, evidence, "check", checks=tuple(one.check for one in mine), numbers=numbers)
    return None


def _read(log: Path | None) -> str:
    """The log, or its beginning and end when it is very long; empty if there is none."""
    try:
        if log is None:
            return ""
        with log.open("rb") as stream:
            head = stream.read(_LARGEST_PART_BYTES)
            size = log.stat().st_size
            if size <= 2 * _LARGEST_PART_BYTES:
                content = head + stream.read()
            else:
                stream.seek(size - _LARGEST_PART_BYTES)
                content = head + b"\n" + stream.read()
    except OSError:
        return ""
    return _ANSI.sub("", content.decode("utf-8", "replace"))


def _by_accounting(reason: str | None, remedies: Remedies) -> Diagnosis | None:
    found = next((one for one in remedies.entries if reason in one.reasons), None)
    return Diagnosis(found, f"the job ended with the reason {reason}", "accounting") if found else None


def _by_log(console: ConsoleLog, text: str, remedies: Remedies) -> Diagnosis | None:
    """What ended the run, in the text that tells of the end."""
    first = console.fatal.line if console.fatal else max(1, text.count("\n") - _TAIL_LINES)
    ending = "\n".join(text.splitlines()[first - 1 :])
    solve = console.attempts[-1] if console.attempts and console.attempts[-1].converged is False else None
    for remedy in remedies.entries:
        patterns = remedy.patterns if console.fatal is not None or not remedy.error_block else ()
        match = next((found for pattern in patterns if (found := pattern.search(ending))), None)
        if match is not None:
            line = first + ending.count("\n", 0, match.start())
            return Diagnosis(remedy, _around(text, line), "log", line)
        if console.fatal is None or console.fatal.kind not in _OF_THE_SOLVER or solve is None:
            continue
        broken = remedy.not_a_number and any(not math.isfinite(one) for one in solve.residuals)
        if broken or solve.reason in remedy.solver_reasons:
            return Diagnosis(remedy, console.fatal.text, "log", console.fatal.line)
    return None


def _by_exit(files: RunFiles, remedies: Remedies) -> Diagnosis | None:
    found = next((one for one in remedies.entries if files.exit_code in one.exit_codes), None)
    return Diagnosis(found, f"exit code {files.exit_code}", "exit code") if found else None


def _unknown(text: str, remedies: Remedies) -> Diagnosis | None:
    found = remedies.get(UNKNOWN)
    lines = [line for line in text.splitlines() if line.strip()]
    return Diagnosis(found, "\n".join(lines[-6:]) or "the run left no log", "log") if found else None


def _around(text: str, line: int) -> str:
    """The line and what follows it, as far as it belongs to it."""
    following = [one for one in text.splitlines()[line - 1 : line + 11] if one.strip()]
    return "\n".join(following[:6])
