"""Parameters of grain growth, with the names that AutoMOOSE has for them, and presets."""

from collections.abc import Mapping
from typing import Any

from towline.simulations.application import Parameter, Scalar

_WHAT = (
    Parameter("run_name", "grain_growth", "name of the run, and of its files", str),
    Parameter("dim", 2, "dimensions", int, minimum=2, maximum=3),
    Parameter("T", 450.0, "temperature", unit="K", minimum=1, maximum=5000, aliases=("temperature", "temperature_K")),
    Parameter(
        *("num_grains", 100, "grains at the start", int),
        minimum=2,
        maximum=100_000,
        aliases=("n_grains", "grain_num", "grains", "N0"),
    ),
    Parameter("ic_type", "Voronoi", "start: Voronoi cells, or noise", str, choices=("Voronoi", "Random")),
    Parameter("rand_seed", 42, "start of the random numbers", int, minimum=0, maximum=2**31 - 1, aliases=("seed",)),
    Parameter("GBmob0", 2.5e-6, "prefactor of the mobility; copper", unit="m^4/(J*s)", minimum=1e-30, maximum=1e6),
    Parameter("Q", 0.23, "activation energy of the mobility; copper", unit="eV", minimum=0, maximum=20),
    Parameter("GBenergy", 0.708, "energy of the grain boundaries; copper", unit="J/m^2", minimum=1e-6, maximum=100),
    Parameter("periodic_x", True, "periodic from left to right", bool),
    Parameter("periodic_y", True, "periodic from bottom to top", bool),
    Parameter("periodic_z", True, "periodic from back to front, in 3-D", bool),
)

_LENGTH: dict[str, Any] = {"unit": "nm", "minimum": 1e-3, "maximum": 1e9, "numerical": True}
_CELLS: dict[str, Any] = {"minimum": 1, "maximum": 10**9, "numerical": True}
_TIME: dict[str, Any] = {"unit": "ns", "minimum": 1e-12, "maximum": 1e15, "numerical": True}

_HOW = (
    Parameter("wGB", 14.0, "width of the diffuse boundaries", aliases=("interface_width",), **_LENGTH),
    Parameter("xmax", None, "length of the box", **_LENGTH),
    Parameter("ymax", None, "height of the box", **_LENGTH),
    Parameter("zmax", None, "depth of the box, in 3-D", **_LENGTH),
    Parameter("nx", None, "cells along x before refinement", int, **_CELLS),
    Parameter("ny", None, "cells along y before refinement", int, **_CELLS),
    Parameter("nz", None, "cells along z before refinement, in 3-D", int, **_CELLS),
    Parameter("uniform_refine", 0, "halvings of all cells", int, minimum=0, maximum=10, numerical=True),
    Parameter("op_num", None, "order parameters", int, minimum=1, maximum=500, numerical=True),
    Parameter("int_width", None, "width of the boundaries of the first state", **_LENGTH),
    Parameter(
        *("coloring_algorithm", "jp", "how grains get their order parameters; bt needs more of them", str),
        choices=("bt", "jp"),
        numerical=True,
    ),
    Parameter("time_mode", "end_time", "what ends the run", str, choices=("end_time", "num_steps"), numerical=True),
    Parameter("end_time", None, "time at the end", **_TIME),
    Parameter("num_steps", None, "steps to the end", int, minimum=1, maximum=10**9, numerical=True),
    Parameter("dt_start", None, "first step", aliases=("dt",), **_TIME),
    Parameter("dtmax", None, "longest step", **_TIME),
    Parameter("dtmin", None, "shortest step, below which the run gives up", **_TIME),
    Parameter("dt_growth", 1.2, "growth of easy steps", minimum=1, maximum=10, numerical=True),
    Parameter("dt_cutback", 0.5, "shortening of hard and failed steps", minimum=0.01, maximum=0.99, numerical=True),
    Parameter(
        "optimal_iterations", 8, "iterations of a step of the right length", int, minimum=1, maximum=200, numerical=True
    ),
    Parameter("scheme", "bdf2", "time integration", str, choices=("bdf2", "implicit-euler"), numerical=True),
    Parameter("nl_max_its", 20, "Newton iterations of a step", int, minimum=1, maximum=1000, numerical=True),
    Parameter("nl_rel_tol", 1e-6, "relative tolerance of Newton", minimum=1e-14, maximum=1e-2, numerical=True),
    Parameter("nl_abs_tol", 1e-9, "absolute tolerance of Newton", minimum=0, maximum=1, numerical=True),
    Parameter("l_max_its", 60, "linear iterations of a Newton step", int, minimum=1, maximum=100_000, numerical=True),
    Parameter("l_tol", 1e-2, "relative tolerance of linear solves", minimum=1e-14, maximum=0.5, numerical=True),
    Parameter(
        *("preconditioner", "asm", "preconditioner of MOOSE; the embedded solver has its own", str),
        choices=("asm", "hypre_boomeramg"),
        numerical=True,
    ),
    Parameter("automatic_scaling", False, "let MOOSE scale the residuals", bool, numerical=True),
    Parameter("use_adaptivity", False, "let MOOSE adapt the mesh; the embedded solver does not", bool, numerical=True),
    Parameter("initial_adaptivity", 2, "adaptations before the first step", int, minimum=0, maximum=10, numerical=True),
    Parameter("refine_fraction", 0.7, "share of the error that is refined", minimum=0, maximum=1, numerical=True),
    Parameter("coarsen_fraction", 0.1, "share of the error that is coarsened", minimum=0, maximum=1, numerical=True),
    Parameter(
        "max_h_level", 4, "most halvings of a cell, with uniform_refine", int, minimum=0, maximum=12, numerical=True
    ),
    Parameter(
        "gt_threshold",
        0.1,
        "order parameter above which a grain is tracked",
        minimum=0.01,
        maximum=0.99,
        numerical=True,
    ),
    Parameter("gt_tracking_step", 0, "step at which tracking begins", int, minimum=0, maximum=10**6, numerical=True),
    Parameter("reserve_op", 0, "order parameters kept for new grains", int, minimum=0, maximum=100, numerical=True),
    Parameter("use_terminator", False, "end when few grains are left", bool),
    Parameter("terminator_threshold", 5, "number of grains that are few", int, minimum=1, maximum=100_000),
    Parameter(
        "exodus_interval", None, "steps from field snapshot to snapshot", int, minimum=1, maximum=10**9, numerical=True
    ),
    Parameter("use_checkpoint", False, "checkpoints after every step, to go on from", bool, numerical=True),
    Parameter("mpi", 1, "ranks of MOOSE", int, minimum=1, maximum=100_000, aliases=("ranks", "ntasks"), numerical=True),
)

PARAMETERS: tuple[Parameter, ...] = _WHAT + _HOW

SWEEPABLE: tuple[str, ...] = ("T", "num_grains", "rand_seed", "GBenergy", "GBmob0", "Q", "op_num", "wGB", "nx", "dtmax")

PRESETS: Mapping[str, Mapping[str, Scalar]] = {
    "2d_quick": {"num_grains": 30},
    "2d_standard": {"num_grains": 100},
    "2d_kinetics": {"num_grains": 400},
    "2d_random": {"ic_type": "Random", "num_grains": 60},
    "3d_quick": {"dim": 3, "num_grains": 25},
    "3d_hpc": {
        "dim": 3,
        "num_grains": 6000,
        "op_num": 28,
        "use_terminator": True,
        "terminator_threshold": 218,
        "mpi": 32,
    },
}
