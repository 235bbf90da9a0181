"""The free energy of a closed system never rises: a check that both physics share."""

import numpy as np

from towline.simulations.application import CheckResult, Results
from towline.simulations.judging import Question
from towline.simulations.moose.run_record import column


def never_rises(question: Question, results: Results, limit: float, *, reference: str) -> CheckResult:
    """Return whether the column total_energy only falls.

    Parameters
    ----------
    limit
        Rise from row to row, over the reference, that is taken for rounding.
    reference
        "start": |F(0)|; "range": |F(0) − F_min|, where a constant may be added to the energy.
    """
    energies = column(results, "total_energy")
    rows = np.flatnonzero(np.isfinite(energies))
    if len(rows) < 2:
        return question.undecided("the table has no energies (column total_energy)")
    kept = energies[rows]
    scale = abs(kept[0]) if reference == "start" else abs(kept[0] - kept.min())
    steps = np.diff(kept)
    worst = int(steps.argmax())
    numbers = {"first": kept[0], "last": kept[-1], "largest rise": max(0.0, steps.max()), "allowed": limit * scale}
    span = (int(rows[0]), int(rows[-1]))
    if scale == 0:
        return question.undecided("the energy does not change, so its scale is unknown", numbers, span)
    rises = int((steps > limit * scale).sum())
    numbers["rises"] = float(rises)
    if rises:
        at = (int(rows[worst]), int(rows[worst + 1]))
        reason = f"the energy rises in {rises} of {len(steps)} steps, most from row {at[0]} to {at[1]}:"
        return question.failed(f"{reason} by {steps.max():.3g} (allowed: {limit * scale:.3g})", numbers, at)
    return question.passed(f"the energy falls from {kept[0]:.6g} to {kept[-1]:.6g} and never rises", numbers, span)
