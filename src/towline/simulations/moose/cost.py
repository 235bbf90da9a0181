"""What a case will cost: memory and time, estimated before anything is allocated."""

import math

import psutil

from towline.simulations.application import Case, Cost, Finding, Severity
from towline.simulations.moose.building import cells

#: Unknowns times steps that the embedded solver advances in a second on one core of 2024; within a factor of three.
UNKNOWN_STEPS_PER_SECOND = 8e5
#: Bytes per unknown of the embedded solver: states, Krylov vectors and what is kept at quadrature points.
BYTES_PER_UNKNOWN = 500
#: What the solver and its libraries take before there is a mesh, and the time that they take to start.
_OWN_BYTES, _START_SECONDS = 90e6, 2.0
#: Of the console and the table, per step; figures and report.
_LOG_BYTES, _REPORT_BYTES = 5000.0, 3e6
_RESTS_ON = "800,000 unknowns times steps a second on one core, by the embedded solver (within a factor of three)"
#: What a bigger run is warned of: an hour.
_LONG_SECONDS = 3600.0
_LARGEST_MESH = 10**9


def expected_seconds(case: Case, variables: int, steps: float) -> float:
    """Seconds that the embedded solver will need, about."""
    return math.prod(cells(case)) * variables * steps / UNKNOWN_STEPS_PER_SECOND


def expected_bytes(case: Case, variables: int) -> float:
    """Memory that the embedded solver will need, about; MOOSE needs more."""
    return float(math.prod(cells(case))) * variables * BYTES_PER_UNKNOWN


def cost_of(case: Case, variables: int, fields: int, steps: float) -> Cost:
    """What a run takes: one core, its memory, and its files.

    Parameters
    ----------
    variables
        Unknowns per node.
    fields
        Variables in the Exodus file.
    steps
        How many, about.
    """
    elements = float(math.prod(cells(case)))
    records = steps / case.number("exodus_interval") + 2
    checkpoints = 2 * 2 * variables
    disk = 8 * elements * (fields * records + 6 + checkpoints) + _LOG_BYTES * steps + _REPORT_BYTES
    return Cost(
        expected_seconds(case, variables, steps) + _START_SECONDS,
        expected_bytes(case, variables) + _OWN_BYTES,
        disk,
        f"{steps:.3g} steps of {elements * variables:.3g} unknowns",
        _RESTS_ON,
    )


def cost_findings(case: Case, variables: int, steps: float) -> list[Finding]:
    """What a case costs, where it is too much for one machine, or for one coffee."""
    counts = cells(case)
    shape = " × ".join(str(count) for count in counts)
    elements = math.prod(counts)
    needed = expected_bytes(case, variables)
    total = float(psutil.virtual_memory().total)
    text = f"{shape} = {elements:.3g} elements with {variables} variables need about {_size(needed)} of memory"
    if elements >= _LARGEST_MESH:
        return [Finding("memory", Severity.ERROR, f"{text}; no more than {_LARGEST_MESH:.0e} elements are taken")]
    if needed > 0.9 * total:
        severity = Severity.ERROR if int(case.number("mpi")) == 1 else Severity.WARNING
        return [Finding("memory", severity, f"{text}; this machine has {_size(total)}")]
    seconds = expected_seconds(case, variables, steps)
    if seconds > _LONG_SECONDS:
        duration = f"{seconds / 3600:.1f} hours" if seconds < 2 * 86400 else f"{seconds / 86400:.0f} days"
        size = f"{elements:.3g} elements, {variables} variables and {steps:.3g} steps"
        return [Finding("cost", Severity.WARNING, f"{size} take the embedded solver about {duration}")]
    return []


def _size(number: float) -> str:
    return f"{number / 2**30:,.1f} GiB" if number < 1e15 else f"{number / 2**40:,.0f} TiB"
