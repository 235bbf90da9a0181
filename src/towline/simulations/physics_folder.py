"""An application whose steps are the modules of one folder."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towline.errors import InvalidRequest
from towline.simulations.application import (
    Case,
    CheckResult,
    Cost,
    Figure,
    Finding,
    Member,
    Parameter,
    Results,
    RunFiles,
    Scalar,
    Value,
)


@dataclass(eq=False)
class PhysicsFolder:
    """A physics; see :class:`towline.simulations.application.Application` for what its members mean.

    Each step is a function of its own name in a module of the package, which is loaded when the step is taken: a list
    of the applications needs neither numpy nor matplotlib. Modules are named as their functions, except that
    ``directory_label`` stands in ``input_file`` beside ``input_text``, and ``cost`` in ``preflight``.
    """

    #: The package that has the modules, as `__name__` in its ``__init__.py``.
    package: str
    folder: Path
    name: str
    label: str
    description: str
    parameters: tuple[Parameter, ...]
    presets: Mapping[str, Mapping[str, Scalar]]
    sweepable: tuple[str, ...]
    executable_key: str = "MOOSE_EXEC"
    remedies_file: Path = field(init=False)

    def __post_init__(self) -> None:
        """Find the data files."""
        self.remedies_file = self.folder / "remedies.toml"

    def resolve(self, stated: Mapping[str, Value]) -> Case:
        """See `Application.resolve`."""
        case: Case = self._step("resolution", "resolve")(stated)
        return case

    def preflight(self, case: Case) -> list[Finding]:
        """See `Application.preflight`."""
        findings: list[Finding] = self._step("preflight", "preflight")(case)
        return findings

    def cost(self, case: Case) -> Cost:
        """See `Application.cost`."""
        cost: Cost = self._step("preflight", "cost")(case)
        return cost

    def input_text(self, case: Case) -> str:
        """See `Application.input_text`."""
        return str(self._step("input_file", "input_text")(case))

    def qualification_input(self, case: Case, name: str) -> str:
        """See `Application.qualification_input`."""
        if not (self.folder / "qualification.py").is_file():
            raise InvalidRequest(f"{self.name} has no problem with a known answer to qualify a solver with")
        return str(self._step("qualification", "qualification_input")(case, name))

    def qualification_check(self, case: Case, csv: Path) -> CheckResult:
        """See `Application.qualification_check`."""
        check: CheckResult = self._step("qualification", "qualification_check")(case, csv)
        return check

    def directory_label(self, case: Case) -> str:
        """See `Application.directory_label`."""
        return str(self._step("input_file", "directory_label")(case))

    def results(self, case: Case, files: RunFiles) -> Results:
        """See `Application.results`."""
        results: Results = self._step("results", "results")(case, files)
        return results

    def checks(self, case: Case, files: RunFiles, results: Results) -> list[CheckResult]:
        """See `Application.checks`."""
        checks: list[CheckResult] = self._step("checks", "checks")(case, files, results)
        return checks

    def figures(self, case: Case, files: RunFiles, results: Results, into: Path) -> list[Figure]:
        """See `Application.figures`."""
        figures: list[Figure] = self._step("figures", "figures")(case, files, results, into)
        return figures

    def sweep_checks(self, members: Sequence[Member]) -> list[CheckResult]:
        """See `Application.sweep_checks`."""
        checks: list[CheckResult] = self._step("sweep_checks", "sweep_checks")(members)
        return checks

    def sweep_figures(self, members: Sequence[Member], into: Path) -> list[Figure]:
        """See `Application.sweep_figures`."""
        figures: list[Figure] = self._step("sweep_figures", "sweep_figures")(members, into)
        return figures

    def _step(self, module: str, function: str) -> Any:
        return getattr(importlib.import_module(f"{self.package}.{module}"), function)
