r"""Spinodal decomposition: the Cahn-Hilliard equation, split into two of second order.

The concentration c follows ∂c/∂t = ∇·(M ∇w), w = ∂f/∂c − κ ∇²c, with f = W c² (1 − c)² (no units) or that of Fe-Cr at
500 °C (nm, s, eV). A wave of wave number k grows as exp(ω t), ω = −M k² (f″ + κ k²): fastest at k² = −f″/2κ, with
ω = M f″²/4κ. It stops at the compositions of the common tangent; then domains coarsen with t^(1/3). An implicit Euler
step has one solution only while Δt < 4κ/(M max(−f″)²). Sources: see
:mod:`~towline.simulations.moose.spinodal.theory`.

Logarithms are continued below c = 1e-4 by a polynomial (``plog``), so that Newton may look there.

The CSV has the columns ``total_c``, ``total_energy``, ``c_average``, ``c_squared`` (average of c²), ``c_max``,
``c_min``, ``w_average``, ``w_squared``, ``num_features`` (domains above the threshold), ``num_features_low`` (below
it), ``interface_length``, ``dt``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from towline.simulations.application import Application
from towline.simulations.moose.spinodal.parameters import PARAMETERS, PRESETS, SWEEPABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from towline.simulations.application import (
        Case,
        CheckResult,
        Figure,
        Finding,
        Member,
        Results,
        RunFiles,
        Value,
    )


class Spinodal:
    """Spinodal decomposition in two and three dimensions.

    Each step stands in a module of its own, which is loaded when the step is taken: a list of the applications needs
    neither numpy nor matplotlib.
    """

    name = "spinodal"
    label = "Spinodal decomposition"
    description = "A mixture decomposes and coarsens, split Cahn-Hilliard equation (double well, or Fe-Cr at 500 °C)."
    parameters = PARAMETERS
    presets = PRESETS
    sweepable = SWEEPABLE
    executable_key = "MOOSE_EXEC"
    remedies_file = Path(__file__).with_name("remedies.toml")

    def resolve(self, stated: "Mapping[str, Value]") -> "Case":
        """See :meth:`Application.resolve`."""
        from towline.simulations.moose.spinodal.resolution import resolve

        return resolve(stated)

    def preflight(self, case: "Case") -> "list[Finding]":
        """See :meth:`Application.preflight`."""
        from towline.simulations.moose.spinodal.preflight import preflight

        return preflight(case)

    def input_text(self, case: "Case") -> str:
        """See :meth:`Application.input_text`."""
        from towline.simulations.moose.spinodal.input_file import input_text

        return input_text(case)

    def directory_label(self, case: "Case") -> str:
        """See :meth:`Application.directory_label`."""
        from towline.simulations.moose.spinodal.input_file import directory_label

        return directory_label(case)

    def results(self, case: "Case", files: "RunFiles") -> "Results":
        """See :meth:`Application.results`."""
        from towline.simulations.moose.spinodal.results import results

        return results(case, files)

    def checks(self, case: "Case", files: "RunFiles", results: "Results") -> "list[CheckResult]":
        """See :meth:`Application.checks`."""
        from towline.simulations.moose.spinodal.checks import checks

        return checks(case, files, results)

    def figures(self, case: "Case", files: "RunFiles", results: "Results", into: Path) -> "list[Figure]":
        """See :meth:`Application.figures`."""
        from towline.simulations.moose.spinodal.figures import figures

        return figures(case, files, results, into)

    def sweep_checks(self, members: "Sequence[Member]") -> "list[CheckResult]":
        """See :meth:`Application.sweep_checks`."""
        from towline.simulations.moose.spinodal.sweep_checks import sweep_checks

        return sweep_checks(members)

    def sweep_figures(self, members: "Sequence[Member]", into: Path) -> "list[Figure]":
        """See :meth:`Application.sweep_figures`."""
        from towline.simulations.moose.spinodal.sweep_figures import sweep_figures

        return sweep_figures(members, into)


APPLICATION: Application = Spinodal()
