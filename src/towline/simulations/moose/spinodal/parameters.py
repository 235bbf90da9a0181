"""Parameters of spinodal decomposition, with the names that AutoMOOSE has for them, and presets."""

from collections.abc import Mapping
from typing import Any

from towline.simulations.application import Parameter, Scalar

_WHAT = (
    Parameter("run_name", "spinodal", "name of the run, and of its files", str),
    Parameter("dim", 2, "dimensions", int, minimum=2, maximum=3),
    Parameter(
        *("fe_mode", "double_well", "free energy: W c²(1−c)², or iron-chromium at 500 °C", str),
        choices=("double_well", "FeCr"),
        aliases=("free_energy",),
    ),
    Parameter("c0", 0.4677, "mean concentration", minimum=0, maximum=1, aliases=("concentration", "composition")),
    Parameter("noise", 0.02, "largest deviation of the first state from c0", minimum=0, maximum=0.5),
    Parameter("rand_seed", 210, "start of the random numbers", int, minimum=0, maximum=2**31 - 1, aliases=("seed",)),
    Parameter("W", 1.0, "height of the double well", minimum=1e-12, maximum=1e12),
    Parameter("kappa", 0.5, "gradient energy, with the double well", minimum=1e-12, maximum=1e12),
    Parameter("M", 1.0, "mobility, with the double well", minimum=1e-12, maximum=1e12),
    Parameter("periodic_x", True, "periodic from left to right", bool),
    Parameter("periodic_y", True, "periodic from bottom to top", bool),
    Parameter("periodic_z", True, "periodic from back to front, in 3-D", bool),
)

#: Lengths and times have the units of the free energy: nm and s with iron-chromium, none with the double well.
_LENGTH: dict[str, Any] = {"minimum": 1e-6, "maximum": 1e9, "numerical": True}
_CELLS: dict[str, Any] = {"minimum": 1, "maximum": 10**9, "numerical": True}
_TIME: dict[str, Any] = {"minimum": 1e-12, "maximum": 1e15, "numerical": True}

_HOW = (
    Parameter("xmax", None, "length of the box (nm for FeCr)", **_LENGTH),
    Parameter("ymax", None, "height of the box (nm for FeCr)", **_LENGTH),
    Parameter("zmax", None, "depth of the box, in 3-D (nm for FeCr)", **_LENGTH),
    Parameter("nx", None, "cells along x before refinement", int, **_CELLS),
    Parameter("ny", None, "cells along y before refinement", int, **_CELLS),
    Parameter("nz", None, "cells along z before refinement, in 3-D", int, **_CELLS),
    Parameter("uniform_refine", 0, "halvings of all cells", int, minimum=0, maximum=10, numerical=True),
    Parameter("time_mode", "end_time", "what ends the run", str, choices=("end_time", "num_steps"), numerical=True),
    Parameter("end_time", None, "time at the end (s for FeCr)", **_TIME),
    Parameter("num_steps", None, "steps to the end", int, minimum=1, maximum=10**9, numerical=True),
    Parameter("dt_start", None, "first step (s for FeCr)", aliases=("dt",), **_TIME),
    Parameter("dtmax", None, "longest step (s for FeCr)", **_TIME),
    Parameter("dtmin", None, "shortest step, below which the run gives up", **_TIME),
    Parameter("growth_steps", 160, "steps while the waves grow", int, minimum=1, maximum=10**7, numerical=True),
    Parameter("dt_growth", 1.5, "growth of easy steps", minimum=1, maximum=10, numerical=True),
    Parameter("dt_cutback", 0.8, "shortening of hard and failed steps", minimum=0.01, maximum=0.99, numerical=True),
    Parameter(
        "optimal_iterations", 7, "iterations of a step of the right length", int, minimum=1, maximum=200, numerical=True
    ),
    Parameter("nl_max_its", 50, "Newton iterations of a step", int, minimum=1, maximum=1000, numerical=True),
    Parameter("nl_rel_tol", 1e-8, "relative tolerance of Newton", minimum=1e-14, maximum=1e-2, numerical=True),
    Parameter("nl_abs_tol", 1e-9, "absolute tolerance of Newton", minimum=0, maximum=1, numerical=True),
    Parameter("l_max_its", 60, "linear iterations of a Newton step", int, minimum=1, maximum=100_000, numerical=True),
    Parameter("l_tol", 1e-3, "relative tolerance of linear solves", minimum=1e-14, maximum=0.5, numerical=True),
    Parameter(
        *("preconditioner", "asm", "preconditioner of MOOSE; the embedded solver has its own", str),
        choices=("asm", "hypre_boomeramg"),
        numerical=True,
    ),
    Parameter("automatic_scaling", False, "let MOOSE scale the residuals", bool, numerical=True),
    Parameter("use_adaptivity", False, "let MOOSE adapt the mesh; the embedded solver does not", bool, numerical=True),
    Parameter("initial_adaptivity", 0, "adaptations before the first step", int, minimum=0, maximum=10, numerical=True),
    Parameter("refine_fraction", 0.7, "share of the error that is refined", minimum=0, maximum=1, numerical=True),
    Parameter("coarsen_fraction", 0.1, "share of the error that is coarsened", minimum=0, maximum=1, numerical=True),
    Parameter(
        "max_h_level", 2, "most halvings of a cell, with uniform_refine", int, minimum=0, maximum=12, numerical=True
    ),
    Parameter(
        "feature_threshold", None, "concentration between the phases, for counting domains", minimum=0, maximum=1
    ),
    Parameter(
        "exodus_interval", None, "steps from field snapshot to snapshot", int, minimum=1, maximum=10**9, numerical=True
    ),
    Parameter("use_checkpoint", False, "checkpoints after every step, to go on from", bool, numerical=True),
    Parameter("mpi", 1, "ranks of MOOSE", int, minimum=1, maximum=100_000, aliases=("ranks", "ntasks"), numerical=True),
)

PARAMETERS: tuple[Parameter, ...] = _WHAT + _HOW

SWEEPABLE: tuple[str, ...] = ("c0", "kappa", "M", "W", "noise", "rand_seed", "end_time", "nx", "growth_steps", "dtmax")

PRESETS: Mapping[str, Mapping[str, Scalar]] = {
    "validation_doublewell": {"c0": 0.5},
    "FeCr_alloy": {"fe_mode": "FeCr", "c0": 0.4677},
}
