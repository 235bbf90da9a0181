"""The checks of several runs of spinodal decomposition together: random starts, and refinement."""

from collections.abc import Sequence

import numpy as np

from towline.simulations.application import CheckResult, Member, Metric, Word
from towline.simulations.moose.refinement import change_of_refinement, same_but
from towline.simulations.moose.spinodal import limits
from towline.simulations.moose.spinodal.limits import C1, SEEDS


def sweep_checks(members: Sequence[Member]) -> list[CheckResult]:
    """Return the checks that the members allow to be asked; none if they vary nothing of the kind."""
    found = []
    if len({member.case["rand_seed"] for member in members}) > 1:
        found.append(starts_agree(members))
    refined = change_of_refinement(C1, members, size_of, limits.REFINEMENT_CHANGE, "final domain size")
    return [*found, *([refined] if refined is not None else [])]


def size_of(member: Member) -> Metric | None:
    """Return the domain size at the end; None if there is none, or the run was proved wrong."""
    found = member.results.metrics.get("domain_size_final")
    return None if member.verdict.word is Word.FALSIFIED or found is None or not found.valid else found


def starts_agree(members: Sequence[Member]) -> CheckResult:
    """S11: final domain sizes of runs that differ only in their random start scatter little."""
    spreads = []
    for group in same_but(members, ("rand_seed", "run_name")):
        sizes = [size.value for size in map(size_of, group) if size is not None]
        if len(sizes) >= limits.FEWEST_STARTS:
            spreads.append(float(np.std(sizes, ddof=1) / np.mean(sizes)))
    numbers = {"groups with sizes": float(len(spreads))}
    if not spreads:
        return SEEDS.undecided(f"no group of runs has {limits.FEWEST_STARTS} random starts that decomposed", numbers)
    numbers["largest spread"] = max(spreads)
    reason = f"domain sizes scatter by {max(spreads):.0%} from start to start (at most {limits.SEED_SPREAD:.0%})"
    return SEEDS.decided(max(spreads) <= limits.SEED_SPREAD, reason, numbers)
