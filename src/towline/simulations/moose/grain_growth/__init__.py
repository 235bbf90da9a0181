r"""Grain growth: Allen-Cahn equations of many order parameters.

Each order parameter η_i is 1 in its grains and 0 elsewhere. With the free energy

    F = ∫ [ μ ( Σ_i (η_i⁴/4 − η_i²/2) + γ Σ_{i<j} η_i² η_j² + 1/4 ) + κ/2 Σ_i |∇η_i|² ] dV

they follow ∂η_i/∂t = −L [ μ (η_i³ − η_i + 2 γ η_i Σ_{j≠i} η_j²) − κ ∇²η_i ]. For γ = 1.5 the profile of a flat boundary
is η = ½ [1 − tanh(2x/w)], and

    M = M0 exp(−Q / k_B T),   κ = ¾ σ w,   μ = 6 σ / w,   L = 4 M / (3 w),

so that L κ = M σ: a boundary of curvature 1/R moves with the velocity M σ / R, whatever w is. A circle shrinks as
dA/dt = −2π M σ, a grain with n sides as dA/dt = (π/3) M σ (n − 6) (von Neumann, Mullins). Of a polycrystal with N
grains the mean size follows ⟨R⟩² − ⟨R0⟩² ∝ M σ t: in 2-D 1/N, in 3-D N^(−2/3), is linear in time.

Units: nm, ns, K, eV; M0 in m⁴/(J s), σ in J/m². Sources: see :mod:`~towline.simulations.moose.grain_growth.theory`.

The CSV has the columns ``grain_tracker`` (grains), ``total_energy`` (eV per nm of depth in 2-D), ``gb_length`` (nm),
``avg_grain_volume`` (nm²), ``eta_max``, ``eta_min``, ``dt`` (ns), ``DOFs``, ``n_elements``. Single grains are in the
snapshots (``unique_grains``); a ``FeatureVolumeVectorPostprocessor`` in an input writes a table of them at each step.
"""

from pathlib import Path

from towline.simulations.application import Application
from towline.simulations.moose.grain_growth.parameters import PARAMETERS, PRESETS, SWEEPABLE
from towline.simulations.physics_folder import PhysicsFolder

APPLICATION: Application = PhysicsFolder(
    package=__name__,
    folder=Path(__file__).parent,
    name="grain_growth",
    label="Grain growth",
    description="Grains of a polycrystal grow, Allen-Cahn equations of many order parameters (copper by default).",
    parameters=PARAMETERS,
    presets=PRESETS,
    sweepable=SWEEPABLE,
)
