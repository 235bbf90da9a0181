"""How much memory a problem needs, and how the C library is told to keep what it was given."""

import ctypes
import sys

import psutil

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.mesh import UniformMesh

# Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed arrays for the next ones instead of returning their pages to the system.

    Every array operation makes temporaries of some megabytes; clearing fresh pages costs more than the arithmetic.
    Returns False where the C library has no such setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # Both thresholds at their largest; the pad keeps the heap from growing in small steps.
    settings = ((_MAP_THRESHOLD, 2**31 - 1), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 64 * 2**20))
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)


def estimated_bytes(mesh: UniformMesh, unknowns: int, auxiliaries: int, krylov_vectors: int = 20) -> int:
    """Return the memory that a run will need at its peak: states, Krylov basis and directions, linearised terms."""
    nodes, elements = mesh.node_count, mesh.element_count
    vectors = 8 + 2 * krylov_vectors
    at_points = 2 * unknowns * 2**mesh.dimension
    return int(8 * (nodes * (vectors * unknowns + 3 * auxiliaries) + elements * (at_points + 4 * 2**mesh.dimension)))


def refuse_what_does_not_fit(mesh: UniformMesh, unknowns: int, auxiliaries: int) -> None:
    """Refuse a mesh that this machine's memory cannot hold, before anything is allocated.

    Raises
    ------
    InvalidRequest
        The estimate is above the memory of this machine; the message names both.
    """
    needed = estimated_bytes(mesh, unknowns, auxiliaries)
    total = int(psutil.virtual_memory().total)
    if needed > total:
        elements = " × ".join(str(count) for count in mesh.counts)
        raise InvalidRequest(
            f"a mesh of {elements} = {mesh.element_count:.3g} elements with {unknowns} variables would need about "
            f"{needed / 2**30:,.0f} GiB of memory; this machine has {total / 2**30:,.0f} GiB. "
            "Lower nx, ny, nz or uniform_refine, or run it with MOOSE on a cluster (MOOSE_EXEC)"
        )
