"""Refinement: whether the result of a run stays when cells and time steps are halved."""

from collections.abc import Callable, Sequence

from towline.simulations.application import Case, CheckResult, Member, Metric
from towline.simulations.judging import Question
from towline.simulations.moose.building import cell_lengths

#: Parameters in which a refined run may differ from its coarse one.
_MESH = frozenset({"nx", "ny", "nz", "uniform_refine"})
_STEPS = frozenset({"dt_start", "dtmax", "dtmin", "growth_steps"})
#: What follows from them, or changes no result.
_NEUTRAL = frozenset({"run_name", "exodus_interval", "mpi", "num_steps", "int_width"})
#: By how much steps or cells must differ to count as halved.
_HALVED = 0.55


def same_but(members: Sequence[Member], names: Sequence[str] | frozenset[str]) -> list[list[Member]]:
    """Return groups of members that differ in nothing but the parameters `names`."""
    groups: dict[tuple[tuple[str, object], ...], list[Member]] = {}
    for member in members:
        rest = tuple(sorted((name, value.value) for name, value in member.case.values.items() if name not in names))
        groups.setdefault(rest, []).append(member)
    return list(groups.values())


def change_of_refinement(
    question: Question,
    members: Sequence[Member],
    result_of: Callable[[Member], Metric | None],
    limit: float,
    what: str,
) -> CheckResult | None:
    """C1: how far the main result changes from the coarsest to the finest run; None if no members differ in resolution.

    Parameters
    ----------
    limit
        Of the change, relative to the finest.
    what
        The main result, as it is told.
    """
    groups = [group for group in same_but(members, _MESH | _STEPS | _NEUTRAL) if len(group) > 1]
    pairs = []
    for group in groups:
        ordered = sorted(group, key=resolution_of, reverse=True)
        coarse, fine = ordered[0], ordered[-1]
        cells, steps = (b / a for a, b in zip(resolution_of(coarse), resolution_of(fine), strict=True))
        if min(cells, steps) <= _HALVED:
            pairs.append((coarse, fine, cells <= _HALVED, steps <= _HALVED))
    if not pairs:
        return None
    changes, halved = [], [0, 0]
    for coarse, fine, finer_cells, finer_steps in pairs:
        first, second = result_of(coarse), result_of(fine)
        if first is not None and second is not None and second.value:
            changes.append(abs(first.value / second.value - 1))
            halved = [halved[0] + finer_cells, halved[1] + finer_steps]
    numbers = {"pairs": float(len(pairs)), "pairs with results": float(len(changes))}
    if not changes:
        return question.undecided(f"no coarse and fine run have both a valid {what}", numbers)
    numbers["largest change"] = max(changes)
    refined = " and ".join(word for word, count in zip(("cells", "steps"), halved, strict=True) if count)
    reason = f"the {what} changes by {max(changes):.1%} with finer {refined} (at most {limit:.0%})"
    return question.decided(max(changes) <= limit, reason, numbers)


def resolution_of(member: Member) -> tuple[float, float]:
    """Return the longest side of a cell of a member, and a measure of its steps."""
    case = member.case
    # Steps while waves grow are told by their number, later ones by their length.
    growing = case.number("growth_steps") if "growth_steps" in case.values else 1
    return max(cell_lengths(case)), case.number("dtmax") / max(growing, 1)


def not_refined(question: Question, case: Case) -> CheckResult:
    """C1 of a single run: it tells which sweep would answer it."""
    cells, longest = case.number("nx"), case.number("dtmax")
    sweep = f"tow simulation sweep with --over nx={cells:g},{2 * cells:g} or --over dtmax={longest:g},{longest / 2:g}"
    return question.undecided(f"cells and steps were not halved; {sweep} would tell")
