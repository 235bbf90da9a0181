"""What is changed before a run that failed is repeated: numerical parameters and resources.

What is being simulated never changes here. A remedy that would need that is proposed to a person instead.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from towline.simulations.application import Case, Origin, Parameter, Scalar, Value
from towline.simulations.remedies import Change
from towline.simulations.review import Diagnosis

#: How often a run is made at most, the first time included.
ATTEMPTS = 3


@dataclass(frozen=True)
class Correction:
    """What is different in the next attempt."""

    failure: str
    """The class of failures that it answers."""
    changes: Mapping[str, Value] = field(default_factory=dict)
    """New values of numerical parameters, with origin ``CORRECTED`` and what they were."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """Factors for resources of the job; see :func:`towline.core.retry_policy.raised`."""
    note: str = ""
    """A sentence: what failed, what is different now."""

    def applied(self, case: Case) -> Case:
        """The case of the next attempt."""
        return replace(case, values={**case.values, **self.changes})


def correct(
    case: Case,
    diagnosis: Diagnosis,
    attempt: int,
    parameters: Sequence[Parameter],
    *,
    earlier: Sequence[Correction] = (),
    attempts: int = ATTEMPTS,
    resources: Iterable[str] | None = None,
) -> Correction | None:
    """What to change after a failed attempt; None when nothing helps, or it was tried.

    Parameters
    ----------
    case
        Of the attempt that failed.
    attempt
        Its number, from 1.
    parameters
        Of the application. Only those that are numerical are changed, within their range.
    earlier
        The corrections before this one. The same correction of the same failure is not made twice.
    attempts
        The number of attempts in all.
    resources
        What the job asked for; more of anything else would change nothing. None: unknown.
    """
    remedy = diagnosis.remedy
    if attempt >= attempts:
        return None
    changes = {}
    for change in remedy.changes:
        value = _changed(case, change, parameters) if _asked_for(change, diagnosis) else None
        if value is not None:
            changes[change.parameter] = value
    more = {name: one for name, one in remedy.resources.items() if resources is None or name in set(resources)}
    if not (changes or more or remedy.repeat):
        return None
    found = Correction(diagnosis.failure, changes, more)
    found = replace(found, note=_note(diagnosis, found, case))
    return None if _made_before(found, earlier) else found


def proposals(case: Case, diagnosis: Diagnosis) -> dict[str, Scalar]:
    """Values of physical parameters that would help, for a person to decide on."""
    found = {}
    for change in diagnosis.remedy.proposals:
        if change.parameter in case.values:
            value = _new_value(case[change.parameter], change)
            if value is not None:
                found[change.parameter] = value
    return found


def _asked_for(change: Change, diagnosis: Diagnosis) -> bool:
    """Whether the numbers of the checks ask for a change that depends on them."""
    if not change.number or change.at_least is None:
        return True
    return diagnosis.numbers.get(change.number, -math.inf) >= change.at_least


def _changed(case: Case, change: Change, parameters: Sequence[Parameter]) -> Value | None:
    parameter = next((one for one in parameters if one.name == change.parameter), None)
    if parameter is None or not parameter.numerical or change.parameter not in case.values:
        return None
    old = case.values[change.parameter]
    new = _new_value(old.value, change)
    if new is None or (parameter.kind in (bool, str) and not isinstance(new, parameter.kind)):
        return None
    if parameter.kind is int:
        new = round(float(new)) if change.multiply is None or change.multiply < 1 else -int(-float(new) // 1)
    if not _allowed(parameter, new) or new == old.value:
        return None
    unit = f" {old.unit}" if old.unit else ""
    return Value(new, Origin.CORRECTED, old.unit, f"was {_text(old.value)}{unit}, {old.origin.value}")


def _new_value(old: Scalar, change: Change) -> Scalar | None:
    if change.set is not None:
        return None if change.set == old else change.set
    if isinstance(old, str | bool):
        return None
    wanted = old * change.multiply if change.multiply is not None else old + (change.add or 0.0)
    # A value that lies beyond the limit already is not brought back to it: that would be the opposite of the remedy.
    if change.minimum is not None and wanted < change.minimum:
        wanted = min(float(old), change.minimum) if wanted < old else change.minimum
    if change.maximum is not None and wanted > change.maximum:
        wanted = max(float(old), change.maximum) if wanted > old else change.maximum
    return wanted


def _allowed(parameter: Parameter, value: Scalar) -> bool:
    if isinstance(value, str):
        return not parameter.choices or value in parameter.choices
    low = parameter.minimum is None or value >= parameter.minimum
    return low and (parameter.maximum is None or value <= parameter.maximum)


def _made_before(found: Correction, earlier: Sequence[Correction]) -> bool:
    """Whether the same failure was answered by the same values: it would go round in circles."""
    if found.resources:
        return False
    values = {name: value.value for name, value in found.changes.items()}
    same = [one for one in earlier if one.failure == found.failure]
    return any({name: value.value for name, value in one.changes.items()} == values for one in same) and bool(values)


def _note(diagnosis: Diagnosis, found: Correction, case: Case) -> str:
    parts = [f"{name} {_text(case[name])} -> {_text(value.value)}" for name, value in found.changes.items()]
    parts += [f"{name} x {factor:g}" for name, factor in found.resources.items()]
    return f"{diagnosis.remedy.title}: {', '.join(parts) or 'the same again'}"


def _text(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
