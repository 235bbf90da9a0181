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

from pathlib import Path

from towline.simulations.application import Application
from towline.simulations.moose.spinodal.parameters import PARAMETERS, PRESETS, SWEEPABLE
from towline.simulations.physics_folder import PhysicsFolder

APPLICATION: Application = PhysicsFolder(
    package=__name__,
    folder=Path(__file__).parent,
    name="spinodal",
    label="Spinodal decomposition",
    description="A mixture decomposes and coarsens, split Cahn-Hilliard equation (double well, or Fe-Cr at 500 °C).",
    parameters=PARAMETERS,
    presets=PRESETS,
    sweepable=SWEEPABLE,
)
