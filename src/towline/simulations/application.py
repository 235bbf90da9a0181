"""What a simulation application offers, and what towline makes of it: the port that every physics meets.

One physics is one folder with a module-level ``APPLICATION`` in its ``__init__.py``. It describes its parameters,
writes the input, reads the results, and says by which checks a result can be proved wrong. It runs nothing and decides
nothing: the pipeline (``operations/simulations.py``) plans, runs, reviews and judges by means of what stands here.

The order of a run: a *case* (what was asked for) is *resolved* (every parameter has a value with its unit and where it
came from), *preflight* finds what cannot give a result before anything is computed, ``input_text`` writes the input,
the run leaves files, ``results`` reads them, ``checks`` try to falsify them, and :class:`Verdict` follows from the
checks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

Scalar: TypeAlias = float | int | bool | str
"""What a parameter can hold."""


class Origin(StrEnum):
    """Where the value of a parameter came from."""

    STATED = "stated"  # by whoever asked
    DEFAULT = "default"
    DERIVED = "derived"  # computed from other values, by a formula that the note names
    ASSUMED = "assumed"  # read into a sentence that did not say it
    CORRECTED = "corrected"  # by a remedy, after an attempt that failed


@dataclass(frozen=True)
class Parameter:
    """One parameter of an application.

    A number outside ``minimum`` and ``maximum`` is refused with both and the unit. ``numerical`` parameters (mesh,
    steps, tolerances) may be changed by a remedy; the others say what is being simulated, and no remedy touches them.
    """

    name: str
    default: Scalar | None
    """None: derived from the others by ``Application.resolve``."""
    help: str
    kind: type[float] | type[int] | type[bool] | type[str] = float
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    numerical: bool = False


@dataclass(frozen=True)
class Value:
    """What a parameter is in one case, and why."""

    value: Scalar
    origin: Origin
    unit: str = ""
    note: str = ""


@dataclass(frozen=True)
class Case:
    """One simulation: an application and a value for every one of its parameters."""

    physics: str
    values: Mapping[str, Value]

    def __getitem__(self, name: str) -> Scalar:
        return self.values[name].value

    def number(self, name: str) -> float:
        """The value of a numerical parameter, in its unit."""
        value = self.values[name].value
        if isinstance(value, str):
            raise TypeError(f"the parameter {name} is the text {value!r}, not a number")
        return float(value)


class Severity(StrEnum):
    """What a finding of the preflight means: an error is not run unless somebody insists."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """What a check before the run found."""

    check: str
    severity: Severity
    message: str
    """What is wrong, with the numbers."""
    proposal: Mapping[str, Scalar] = field(default_factory=dict)
    """Values of parameters that would pass; empty where there are none."""


class Outcome(StrEnum):
    """What a check says of a result; ``INCONCLUSIVE`` is never taken for a pass."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class CheckResult:
    """What one check of the Skeptic found."""

    check: str
    """Its id, as ``G3``."""
    title: str
    outcome: Outcome
    reason: str
    """A sentence with the numbers and the threshold."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    rows: tuple[int, int] | None = None
    """First and last row of the CSV that were used."""
    mandatory: bool = True
    cause: str = ""
    """What a failure probably comes from."""
    recovery: str = ""
    """The class of failure (of the remedies) that it feeds; empty: none."""


class Word(StrEnum):
    """The three verdicts."""

    CREDIBLE = "CREDIBLE"
    FALSIFIED = "FALSIFIED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Verdict:
    """What the checks say together."""

    word: Word
    results: tuple[CheckResult, ...]

    @classmethod
    def of(cls, results: Sequence[CheckResult]) -> "Verdict":
        """FALSIFIED if a mandatory check fails; else INCONCLUSIVE if one has no power or there is none."""
        outcomes = {result.outcome for result in results if result.mandatory}
        if Outcome.FAIL in outcomes:
            word = Word.FALSIFIED
        elif Outcome.INCONCLUSIVE in outcomes or not outcomes:
            word = Word.INCONCLUSIVE
        else:
            word = Word.CREDIBLE
        return cls(word, tuple(results))

    @property
    def falsified_by(self) -> tuple[str, ...]:
        """The ids of the mandatory checks that failed."""
        return tuple(one.check for one in self.results if one.mandatory and one.outcome is Outcome.FAIL)

    @property
    def undecided(self) -> tuple[str, ...]:
        """The ids of the mandatory checks that had no power."""
        return tuple(one.check for one in self.results if one.mandatory and one.outcome is Outcome.INCONCLUSIVE)

    def sentence(self) -> str:
        """The verdict as it is printed: the word, and by what or because of what."""
        if self.word is Word.FALSIFIED:
            return f"FALSIFIED by {', '.join(self.falsified_by)}"
        if self.word is Word.INCONCLUSIVE:
            # Several checks may lack the same thing.
            reasons = dict.fromkeys(one.reason for one in self.results if one.check in self.undecided)
            return f"INCONCLUSIVE because {'; '.join(reasons) or 'no check was made'}"
        return "CREDIBLE"


@dataclass(frozen=True)
class Cost:
    """What a run will take, about."""

    processor_seconds: float
    memory_bytes: float
    disk_bytes: float
    #: The work that it follows from, such as how many steps of how many unknowns.
    work: str
    #: A sentence: what the estimate rests on, and how far it can be trusted.
    rests_on: str


@dataclass(frozen=True)
class RunFiles:
    """The files that one attempt of a run left; ``None`` where there is no such file."""

    folder: Path
    input_file: Path
    log: Path | None
    csv: Path | None
    exodus: Path | None
    exit_code: int | None
    """None: nobody saw it end, or a signal ended it."""


@dataclass(frozen=True)
class Metric:
    """One result with its unit, and where it holds."""

    value: float
    unit: str = ""
    uncertainty: float | None = None
    """One standard error, in the same unit."""
    valid: bool = True
    note: str = ""


@dataclass(frozen=True)
class Results:
    """What was read from the files of a run."""

    metrics: Mapping[str, Metric]
    series: Mapping[str, Sequence[float]]
    """Columns over the accepted steps, ``time`` among them, all of one length; names are those of the CSV."""
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A picture that was drawn."""

    path: Path
    title: str
    caption: str


@dataclass(frozen=True)
class Member:
    """One case of a sweep with what came of it."""

    case: Case
    files: RunFiles
    results: Results
    verdict: Verdict


class Application(Protocol):
    """One physics.

    ``resolve``, ``preflight``, ``input_text``, ``results`` and ``checks`` depend on their arguments only: the same case
    gives the same input on any machine.
    """

    name: str
    """As in ``--physics``."""
    label: str
    description: str
    parameters: tuple[Parameter, ...]
    presets: Mapping[str, Mapping[str, Scalar]]
    sweepable: tuple[str, ...]
    executable_key: str
    """The key of ``config.env`` that names the executable, as ``MOOSE_EXEC``."""
    remedies_file: Path
    """The data file of the remedies: classes of failure, patterns with a log excerpt each, corrections."""

    def resolve(self, stated: Mapping[str, Value]) -> Case:
        """A value for every parameter. `stated` is checked already (``parameters.check``): known names, types, ranges.

        Raises
        ------
        towline.errors.InvalidRequest
            If stated values contradict each other.
        """
        ...

    def preflight(self, case: Case) -> list[Finding]:
        """What keeps the case from giving a result, before any compute; empty when nothing does."""
        ...

    def cost(self, case: Case) -> Cost:
        """What the run will take, about."""
        ...

    def input_text(self, case: Case) -> str:
        """The input file, the same text for the same case."""
        ...

    def qualification_input(self, case: Case, name: str) -> str:
        """The input of a problem with a known answer, with the cells, steps and tolerances of the case.

        Parameters
        ----------
        name
            Of the files that its run writes: ``<name>.csv``.

        Raises
        ------
        towline.errors.InvalidRequest
            If the physics knows no such problem.
        """
        ...

    def qualification_check(self, case: Case, csv: Path) -> CheckResult:
        """Whether the run of that problem gave the known answer."""
        ...

    def directory_label(self, case: Case) -> str:
        """What tells the case from others, for the name of its run directory: letters, digits and ``._-`` only."""
        ...

    def results(self, case: Case, files: RunFiles) -> Results:
        """What the run gave.

        Raises
        ------
        towline.errors.TowlineError
            If there are no results to read; which file, and what is wrong with it.
        """
        ...

    def checks(self, case: Case, files: RunFiles, results: Results) -> list[CheckResult]:
        """The checks of one run; each of them can fail."""
        ...

    def figures(self, case: Case, files: RunFiles, results: Results, into: Path) -> list[Figure]:
        """Draw the run into the folder `into`."""
        ...

    def sweep_checks(self, members: Sequence[Member]) -> list[CheckResult]:
        """The checks of several runs together (Arrhenius, ensembles, refinement); empty when there are none."""
        ...

    def sweep_figures(self, members: Sequence[Member], into: Path) -> list[Figure]:
        """Draw the sweep into the folder `into`."""
        ...
