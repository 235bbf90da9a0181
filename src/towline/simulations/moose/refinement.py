"""Refinement: whether the result of a run stays when cells and time steps are halved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from towline.errors import InvalidRequest
from towline.simulations.application import Case, CheckResult, Member, Metric, Origin
from towline.simulations.judging import Question
from towline.simulations.moose.building import cell_lengths

#: Parameters in which a refined run may differ from its coarse one.
_MESH = frozenset({"nx", "ny", "nz", "uniform_refine"})
_STEPS = frozenset({"dt_start", "dtmax", "dtmin", "growth_steps"})
#: What follows from them, or changes no result.
_NEUTRAL = frozenset({"run_name", "exodus_interval", "mpi", "num_steps", "int_width"})
#: By how much steps or cells must differ to count as halved.
_HALVED = 0.55


class Refinement(StrEnum):
    """What is halved."""

    MESH = "mesh"
    TIME_STEP = "time-step"


#: Factors by which parameters change that are there.
_FACTORS: Mapping[Refinement, Mapping[str, float]] = {
    Refinement.MESH: {"nx": 2, "ny": 2, "nz": 2},
    Refinement.TIME_STEP: {"dt_start": 0.5, "dtmax": 0.5, "dtmin": 0.5, "growth_steps": 2, "exodus_interval": 2},
}


def refined(case: Case, what: Refinement) -> Case:
    """Return the case with half the cells, or half the steps, and everything else the same.

    Raises
    ------
    InvalidRequest
        It has nothing to halve, or would start from another state.
    """
    factors = dict(_FACTORS[what])
    if what is Refinement.MESH and starts_from_noise(case):
        raise InvalidRequest(
            "this run starts from noise, which is another one on another mesh: a change would tell nothing; "
            f"what can be refined is its {Refinement.TIME_STEP}"
        )
    if what is Refinement.TIME_STEP and "num_steps" in case.values:
        factors["num_steps"] = 2
    halved = {name: factor for name, factor in factors.items() if name in case.values}
    if not halved:
        raise InvalidRequest(f"{case.physics} has no {what} that could be halved")
    values = dict(case.values)
    for name, factor in halved.items():
        old = values[name]
        new = type(old.value)(case.number(name) * factor)
        # Stated: it is what this run differs in.
        values[name] = replace(old, value=new, origin=Origin.STATED, note=f"{what} refined")
    return replace(case, values=values)


def starts_from_noise(case: Case) -> bool:
    """Whether the start has a random number per node."""
    return "noise" in case.values or ("ic_type" in case.values and case["ic_type"] == "Random")


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
    comparable = [pair for pair in pairs if not (pair[2] and starts_from_noise(pair[0].case))]
    if not comparable:
        return question.undecided("coarse and fine runs start from noise, which is another one on another mesh")
    changes, halved = [], [0, 0]
    for coarse, fine, finer_cells, finer_steps in comparable:
        first, second = result_of(coarse), result_of(fine)
        if first is not None and second is not None and second.value:
            changes.append(abs(first.value / second.value - 1))
            halved = [halved[0] + finer_cells, halved[1] + finer_steps]
    numbers = {"pairs": float(len(comparable)), "pairs with results": float(len(changes))}
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
    """C1 of a single run: it tells what would answer it."""
    which = Refinement.TIME_STEP if starts_from_noise(case) else "mesh or time-step"
    return question.undecided(f"it was not refined; tow simulation check RUN --refine {which} would tell")
