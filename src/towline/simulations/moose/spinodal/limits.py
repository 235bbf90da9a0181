"""What the Skeptic asks of spinodal decomposition: every threshold, in one table.

Where each is from: docs/guide/verdicts.md.
"""

from towline.simulations.judging import Question, Range, Weight

#: S1: relative drift of the mass: this, or so many times the absolute tolerance of Newton,
MASS_DRIFT = 1e-8
MASS_DRIFT_PER_TOLERANCE = 100.0
#: and with an adapted mesh, which interpolates.
MASS_DRIFT_ADAPTED = 1e-5
#: S2: rise over |E(0) − E_min|.
ENERGY_RISE = 1e-8
#: S3: c_max − c_min over the distance of the phases.
DECOMPOSED = 0.8
#: A run that could grow waves for so many times 1/ω and did not decompose is wrong, not too short.
ENOUGH_E_FOLDS = 15.0
#: S4: standard deviation of c, over the distance of the phases, up to which growth is linear.
LINEAR_DEVIATION = 0.1
#: e-folds of the variance that have to be resolved.
FEWEST_E_FOLDS = 3.0
#: Rate over that of the fastest wave.
EARLY_RATE = Range(0.7, 1.1)
#: S5, S6.
PHASE_COMPOSITION = 0.02
PHASE_SHARE = 0.03
#: Domain size over the width of the interfaces (10 to 90 %) below which phases are mostly interface.
LEAST_SIZE = 3.0
#: S7.
EXPONENT = Range(1 / 3 - 0.07, 1 / 3 + 0.07)
FEWEST_DECADES = 1.0
#: Waves that fit into the box at the end of the window.
FEWEST_DOMAINS = 30.0
#: S8: mole fractions that a logarithm can take.
COMPOSITIONS = Range(1e-12, 1 - 1e-12)
#: S10: of the energy of a flat interface.
INTERFACE_ENERGY = Range(0.98, 1.02)
#: S11: standard deviation over mean of the final domain sizes.
SEED_SPREAD = 0.2
FEWEST_STARTS = 3
#: C1: change of the final domain size when cells and steps are halved.
REFINEMENT_CHANGE = 0.05

S1 = Question(
    "S1",
    "Mass is conserved",
    cause="a solver that stops too early, or a mesh that is adapted",
    recovery="SOLVER_DIVERGENCE",
)
S2 = Question(
    "S2",
    "The free energy never rises",
    cause="time steps beyond the unique solution, or a solver that stops too early",
    recovery="SOLVER_DIVERGENCE",
)
S3 = Question(
    "S3",
    "The mixture decomposed",
    cause="wavelengths that do not fit into the box, or that the mesh does not resolve",
    recovery="MESH_RESOLUTION",
)
S4 = Question(
    "S4",
    "Waves first grow at the rate of linear theory",
    Weight.SUPPORTING,
    cause="time steps too long for the growth, or cells too large for the fastest wave",
    recovery="SOLVER_DIVERGENCE",
)
S5 = Question(
    "S5",
    "The phases have the compositions of the common tangent",
    cause="interfaces that are not resolved, or phases that are not in equilibrium yet",
    recovery="KINETICS_NOT_ASYMPTOTIC",
)
S6 = Question(
    "S6",
    "The phases have the shares of the lever rule",
    cause="phases that are not in equilibrium yet, or mass that was lost",
    recovery="KINETICS_NOT_ASYMPTOTIC",
)
S7 = Question(
    "S7",
    "Domains coarsen with t^(1/3)",
    Weight.SUPPORTING,
    cause="domains that feel the box, interfaces that stick to the mesh, or a regime that is not reached yet",
    recovery="KINETICS_NOT_ASYMPTOTIC",
)
S8 = Question(
    "S8",
    "Compositions stay where the logarithms are defined",
    cause="steps that overshoot, or interfaces of too few cells",
    recovery="LOGARITHM_DOMAIN",
)
S9 = Question(
    "S9",
    "The chemical potential evens out",
    Weight.SUPPORTING,
    cause="a run that is not driven by diffusion any more: boundaries, or an unstable solution",
    recovery="SOLVER_DIVERGENCE",
)
S10 = Question(
    "S10",
    "A flat interface has the energy ∫√(2κΔf) dc (qualification of the solver)",
    cause="interfaces of too few cells",
    recovery="MESH_RESOLUTION",
)
SEEDS = Question(
    "S11",
    "Random starts agree",
    Weight.SUPPORTING,
    cause="too few domains in the box",
    recovery="KINETICS_NOT_ASYMPTOTIC",
)
C1 = Question(
    "C1",
    "Halving cells and steps does not change the domain size",
    Weight.SUPPORTING,
    cause="the mesh or the time steps are too coarse",
    recovery="MESH_RESOLUTION",
)
