"""What the Skeptic asks of grain growth: every threshold, in one table.

Where each is from: docs/guide/verdicts.md.
"""

from towline.simulations.judging import Question, Range, Weight

#: G2: grains that may be missing, or too many, when the starting boundaries are diffuse.
INITIAL_COUNT_SLACK = 1
#: G1: share of the first grains that may be lost from sight and seen again.
SEEN_AGAIN = 0.03
#: G3 to G5: the window begins where this share of the grains has gone,
INITIAL_DROP = 0.2
#: and ends where fewer are left than this.
FEWEST_GRAINS = 30
#: N(0) over the N at the end of the window, and different values of N in it, below which nothing can be told.
LEAST_REDUCTION = 2.0
FEWEST_VALUES = 8
GROWTH_R_SQUARED = 0.95
#: Slope of the second half of the window over that of the first one; asked if so many grains are lost in the window,
#: for with n losses in each half the slopes scatter by 1/√n.
BEND = Range(0.5, 2.0)
BEND_LOSSES = 60
EXPONENT = Range(1.6, 2.4)
#: G4 tells nothing if the exponent is less certain than this, or if fewer grains are lost in the window: parts of a run
#: that lose 150 of them gave 1.6 to 2.5, the run as a whole 2.10.
EXPONENT_ERROR = 0.4
EXPONENT_LOSSES = 150
#: d⟨A⟩/dt over Mσ in two dimensions; literature is near 1.1.
AREA_RATE = Range(0.5, 2.0)
#: d⟨R²⟩/dt over Mσ in three dimensions, a bracket around what mean-field theory gives (0.4 to 0.8).
RADIUS_RATE = Range(0.2, 2.5)
#: G6: rise over |F(0)|.
ENERGY_RISE = 1e-8
VOLUME_ERROR = 0.02
ORDER_PARAMETER = Range(-0.05, 1.05)
#: G8: F over σ times the boundary.
ENERGY_RATIO = Range(0.9, 1.1)
FEWEST_INTERFACE_CELLS = 4.0
#: G9: dA/dt per (n − 6) over (π/3)Mσ. Boundaries of a width take it above 1: refined runs gave 1.08 where the mean
#: grain is 5 widths in radius, 1.15 at 2.5 widths and 1.18 at 2.
NEUMANN_MULLINS = Range(0.8, 1.3)
FEWEST_TRACKED = 15
#: G10: dA/dt over −2πMσ.
CIRCLE = Range(0.95, 1.05)
#: G11: of the box.
LARGEST_GRAIN = 0.25
#: G12.
FEWEST_TEMPERATURES = 4
FEWEST_STARTS = 3
#: Of the interval about the fitted energy that has to hold that of the material: what two standard errors mean when
#: there are many runs; Student's t says how many they are when there are few. It refuses one right sweep in twenty.
ACTIVATION_CONFIDENCE = 0.95
ACTIVATION_SHARE = 0.10
#: What a finite boundary and a finite number of grains may shift, besides the scatter.
ACTIVATION_SYSTEMATIC = 0.01
ARRHENIUS_R_SQUARED = 0.95
#: Seeds: standard deviation over mean of the growth rates.
SEED_SPREAD = 0.35
#: C1: change of the growth rate when cells and steps are halved.
REFINEMENT_CHANGE = 0.05

G1 = Question(
    "G1",
    "Grains do not multiply",
    cause="a grain was made or split by the numerics: boundaries of too few cells, or steps that are too large",
    recovery="NONPHYSICAL_NUCLEATION",
)
G2 = Question(
    "G2",
    "It starts from the grains that the plan asks for",
    cause="cells of the start too small for the mesh, or grains of one order parameter that touch",
    recovery="MESH_RESOLUTION",
)
G3 = Question(
    "G3",
    "Growth is normal: the mean grain grows linearly in time",
    cause="the growth is not in its steady regime, or the boundaries stick to the mesh",
    recovery="KINETICS_NOT_ASYMPTOTIC",
)
G4 = Question(
    "G4",
    "The exponent of growth is 2",
    Weight.SUPPORTING,
    cause="the growth is not in its steady regime, or the boundaries stick to the mesh",
    recovery="KINETICS_NOT_ASYMPTOTIC",
)
G5 = Question(
    "G5",
    "The mean area grows at the rate of the material",
    cause="mobility or energy in wrong units, boundaries of too few cells, or time steps that are too large",
    recovery="MESH_RESOLUTION",
)
G6 = Question(
    "G6",
    "The free energy never rises",
    cause="time steps beyond the unique solution, a solver that stops too early, or remapped grains that overlapped",
    recovery="SOLVER_DIVERGENCE",
)
G7 = Question(
    "G7",
    "Grains fill the box, and order parameters stay within 0 and 1",
    cause="order parameters of grains that overlap, or an unstable solution",
    recovery="SOLVER_DIVERGENCE",
)
G8 = Question(
    "G8",
    "The free energy is that of the boundaries",
    Weight.SUPPORTING,
    cause="boundaries that are not resolved, or not in equilibrium",
    recovery="MESH_RESOLUTION",
)
G9 = Question(
    "G9",
    "Grains grow as their number of sides says (von Neumann-Mullins)",
    Weight.SUPPORTING,
    cause="boundaries of too few cells, or grains hardly larger than their boundaries",
    recovery="MESH_RESOLUTION",
)
G10 = Question(
    "G10",
    "A round grain shrinks at the sharp-interface rate (qualification of the solver)",
    cause="the solver, the mesh or the steps are not good enough for this material",
    recovery="MESH_RESOLUTION",
)
G11 = Question(
    "G11",
    "The box is large enough for its grains",
    # Its failure takes the power from G3 to G5; that alone proves nothing wrong.
    Weight.ADVISORY,
    cause="too few grains, or a run that is too long for its box",
    recovery="KINETICS_NOT_ASYMPTOTIC",
)
G12 = Question(
    "G12",
    "The rates follow Arrhenius with the activation energy of the material",
    cause="runs that are not all in the same regime, or numerics that distort the hottest or coldest",
    recovery="KINETICS_NOT_ASYMPTOTIC",
)
SEEDS = Question(
    "G13",
    "Random starts agree",
    Weight.SUPPORTING,
    cause="too few grains for the rate to mean anything",
    recovery="KINETICS_NOT_ASYMPTOTIC",
)
C1 = Question(
    "C1",
    "Halving cells and steps does not change the rate",
    Weight.SUPPORTING,
    cause="the mesh or the time steps are too coarse",
    recovery="MESH_RESOLUTION",
)
