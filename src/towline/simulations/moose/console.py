"""Reading what MOOSE, or the embedded solver, wrote to its console.

A step that does not converge is rejected and repeated with a smaller one: that is no failure. What ends a run is told
apart from it (:attr:`ConsoleLog.fatal`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)"
_HEADER = re.compile(r"^\s{0,6}([A-Z][\w .\-/()]*?):\s{1,40}(\S.*)$")
_STEP = re.compile(rf"^\s*Time Step\s+(\d+), time = ({_NUMBER})(?:, dt = ({_NUMBER}))?", re.IGNORECASE)
_STEP_SIZE = re.compile(rf"^\s*dt = ({_NUMBER})\s*$", re.IGNORECASE)
_RESIDUAL = re.compile(rf"^\s*(\d+) (Nonlinear|Linear) \|R\| = ({_NUMBER})", re.IGNORECASE)
_REASON = re.compile(r"(Linear|Nonlinear) solve (?:converged|did not converge) due to (\w+)", re.IGNORECASE)
_OUTLIER = re.compile(rf"^\s+([\w./:-]+):\s+({_NUMBER})\s*$", re.IGNORECASE)
#: What the solver, or the script of a run, says before it goes on from a checkpoint.
_RECOVERY = re.compile(r"^Recovering from step (\d+),|^towline: goes on from the checkpoint \S*/(\d+)\s*$")
_TRACKER = re.compile(
    r"Grain #\d+ intersects|Remapping grain|Couldn't find a matching|Marking Grain \d+ as INACTIVE"
    r"|Unable to find any suitable grains"
)
_WARNING = re.compile(r"\*\*\* Warning(?: \*\*\*)?[,:]?\s*(.*)", re.IGNORECASE)

#: Texts after which a run has ended, and their kinds.
_FATAL = (
    (re.compile(r"\*\*\* ERROR \*\*\*"), "error"),
    (re.compile(r"Aborting as solve did not converge and input selected to abort"), "solver"),
    (re.compile(r"Solve failed and timestep already at(?: or below)? dtmin"), "time step"),
    (re.compile(r"MPI_Abort|MPI_ABORT"), "MPI"),
    (re.compile(r"Floating point exception"), "floating point"),
    (re.compile(r"Caught signal number (\d+)|Segmentation fault|signal \d+ \("), "signal"),
    (re.compile(r"std::bad_alloc|oom-kill|Out Of Memory|Out of memory"), "memory"),
    (re.compile(r"DUE TO TIME LIMIT"), "walltime"),
)


class Ending(Enum):
    """How a run ended."""

    #: It reached its end.
    COMPLETED = "completed"
    #: It told why it could not go on, or its process did.
    FAILED = "failed"
    #: Neither is known: it may still run, or its log is not whole.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to make a time step."""

    #: Number of the step; the same for all tries.
    number: int
    time: float
    #: None if the log says nothing.
    step_size: float | None = None
    #: Norm of the residual, per nonlinear iteration, from iteration 0.
    residuals: tuple[float, ...] = ()
    #: Linear iterations of all nonlinear ones together.
    linear_iterations: int = 0
    #: None if the log ends before that.
    converged: bool | None = None
    #: What PETSc said of the nonlinear solve, such as ``DIVERGED_LINE_SEARCH``; empty if nothing.
    reason: str = ""

    @property
    def nonlinear_iterations(self) -> int:
        """Nonlinear iterations."""
        return max(0, len(self.residuals) - 1)


@dataclass(frozen=True, slots=True)
class Fatal:
    """The text that says why a run ended."""

    #: ``error``, ``solver``, ``time step``, ``MPI``, ``floating point``, ``signal``, ``memory`` or ``walltime``.
    kind: str
    #: The line, and what follows it.
    text: str
    #: Of the log, from 1.
    line: int


@dataclass(frozen=True)
class ConsoleLog:
    """What a console says about a run."""

    #: What the header tells: versions, sizes.
    header: dict[str, str] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    fatal: Fatal | None = None
    #: Whether the end of a performance table was seen.
    finished: bool = False
    warnings: tuple[str, ...] = ()
    #: What the grain tracker told.
    tracker_events: tuple[str, ...] = ()
    #: Norm of the last outlier of each variable that was told.
    outliers: dict[str, float] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, str]:
        """The entries of the header that are versions."""
        return {name: text for name, text in self.header.items() if "Version" in name}

    @property
    def accepted_steps(self) -> int:
        """How many steps converged; step 0 is none."""
        return sum(one.converged is True and one.number > 0 for one in self.attempts)

    @property
    def rejected_steps(self) -> int:
        """How many tries did not converge."""
        return sum(one.converged is False for one in self.attempts)

    def ending(self, exit_code: int | None = None) -> Ending:
        """Return how the run ended.

        Parameters
        ----------
        exit_code
            Of the process; None if nobody knows.
        """
        if exit_code:
            return Ending.FAILED
        if self.fatal is not None:
            return Ending.FAILED
        return Ending.COMPLETED if exit_code == 0 or self.finished else Ending.UNKNOWN


def read_console(text: str) -> ConsoleLog:
    """Read a log; whatever stands in it, what is not understood is passed over.

    Parameters
    ----------
    text
        May have colours, and may end anywhere.
    """
    reader = _Reader([line.rstrip("\r") for line in _ANSI.sub("", text).split("\n")])
    return reader.read()


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._header: dict[str, str] = {}
        self._attempts: list[Attempt] = []
        self._fatal: Fatal | None = None
        self._finished = False
        self._warnings: list[str] = []
        self._events: list[str] = []
        self._outliers: dict[str, float] = {}
        self._in_outliers = False
        # What belongs to the attempt that is read.
        self._start: tuple[int, float, float | None] | None = None
        self._residuals: list[float] = []
        self._linear = 0
        self._reason = ""

    def read(self) -> ConsoleLog:
        for number, line in enumerate(self._lines):
            self._read_line(number, line)
        self._close(None)
        return ConsoleLog(
            self._header,
            tuple(self._attempts),
            self._fatal,
            self._finished,
            tuple(self._warnings),
            tuple(self._events),
            self._outliers,
        )

    def _read_line(self, number: int, line: str) -> None:
        if not any(read(number, line) for read in self._readers()) and self._start is None:
            header = _HEADER.match(line)
            if header is not None:
                self._header.setdefault(header[1].strip(), header[2].strip())

    def _readers(self) -> tuple[Callable[[int, str], bool], ...]:
        return (
            self._read_recovery,
            self._read_step,
            self._read_residual,
            self._read_verdict,
            self._read_fatal,
            self._read_event,
        )

    def _read_recovery(self, _: int, line: str) -> bool:
        """After an interruption: what was done since the checkpoint is done again, and nothing that ended it counts."""
        match = _RECOVERY.match(line)
        if match is None:
            return False
        self._close(None)
        step = int(match[1] or match[2])
        self._attempts = [one for one in self._attempts if one.number <= step]
        self._fatal, self._finished = None, False
        return True

    def _read_step(self, _: int, line: str) -> bool:
        match = _STEP.match(line)
        if match is not None:
            self._close(None)
            size = float(match[3]) if match[3] else None
            self._start = (int(match[1]), float(match[2]), size)
            return True
        size_alone = _STEP_SIZE.match(line)
        if size_alone is not None and self._start is not None and self._start[2] is None:
            self._start = (*self._start[:2], float(size_alone[1]))
            return True
        return False

    def _read_residual(self, _: int, line: str) -> bool:
        match = _RESIDUAL.match(line)
        if match is None:
            reason = _REASON.search(line)
            if reason is not None and reason[1].lower() == "nonlinear":
                self._reason = reason[2]
            return reason is not None
        if match[2].lower() == "nonlinear":
            self._residuals.append(float(match[3]))
        else:
            # Iteration 0 is the residual before the first one.
            self._linear += match[1] != "0"
        return True

    def _read_verdict(self, _: int, line: str) -> bool:
        if (
            "Solve Did NOT Converge" in line
            or "MooseException was raised" in line
            or "Aborting by a Terminator" in line
        ):
            self._close(converged=False)
            return True
        if "Solve Converged" in line:
            self._close(converged=True)
            return True
        if "Finished Executing" in line:
            self._finished = True
            return True
        return False

    def _read_fatal(self, number: int, line: str) -> bool:
        kind = next((kind for pattern, kind in _FATAL if pattern.search(line)), None)
        if kind is not None and self._fatal is None:
            following = [one for one in self._lines[number : number + 12] if one.strip()]
            self._fatal = Fatal(kind, "\n".join(following[:6]), number + 1)
        return kind is not None

    def _read_event(self, number: int, line: str) -> bool:
        if "Outlier Variable Residual Norms" in line:
            self._in_outliers = True
            return True
        outlier = _OUTLIER.match(line) if self._in_outliers else None
        self._in_outliers = outlier is not None
        if outlier is not None:
            self._outliers[outlier[1]] = float(outlier[2])
        elif _TRACKER.search(line):
            self._events.append(line.strip())
        elif (warning := _WARNING.search(line)) is not None:
            following = [one.strip() for one in (warning[1], *self._lines[number + 1 : number + 4]) if one.strip()]
            self._warnings.append(following[0] if following else line.strip())
        else:
            return False
        return True

    def _close(self, converged: bool | None) -> None:
        """Finish the attempt that is read; what is told without a step belongs to none."""
        if self._start is not None:
            done = (tuple(self._residuals), self._linear, converged, self._reason)
            number, time, size = self._start
            # A second verdict on an attempt that is closed says nothing new.
            self._attempts.append(Attempt(number, time, size, *done))
        self._start, self._residuals, self._linear, self._reason = None, [], 0, ""
