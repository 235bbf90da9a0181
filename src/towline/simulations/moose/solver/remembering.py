"""What a run remembers between two steps, taken out of its objects for a checkpoint and put back into them."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from towline.simulations.moose.solver.checkpoints import FORMAT, Memory, UnfitCheckpoint
from towline.simulations.moose.solver.features import Feature
from towline.simulations.moose.solver.flood_counters import FloodCounter
from towline.simulations.moose.solver.mesh import Array
from towline.simulations.moose.solver.state import State
from towline.simulations.moose.solver.time_steppers import StepRecord, TimeStepper

_NUMBERS = ("time", "time_step_size", "step", "old_time_step_size", "nonlinear_iterations", "linear_iterations")


def remembered(state: State, stepper: TimeStepper, coefficients: tuple[Array, Array] | None) -> Memory:
    """What the state, the stepper and the preconditioner are after a step that was accepted.

    Parameters
    ----------
    coefficients
        Of the preconditioner that is in use: the one of another moment would need other iterations, and so give other
        last digits.
    """
    arrays: dict[str, Array] = {"unknowns": state.fields.unknowns, "older": state.older}
    for kind, values in (("nodal", state.fields.nodal), ("elemental", state.fields.elemental)):
        arrays |= {f"{kind}/{name}": one for name, one in values.items()}
    if coefficients is not None:
        arrays |= {"preconditioner/mass": coefficients[0], "preconditioner/stiffness": coefficients[1]}
    counters = {}
    for number, (name, counter) in enumerate(state.counters.items()):
        counters[name] = _remember_counter(counter, f"counter/{number}", arrays)
    document = {
        "format": FORMAT,
        "variables": list(state.fields.names),
        "numbers": {name: getattr(state, name) for name in _NUMBERS},
        "values": dict(state.values),
        "stepper": {name: _plain(getattr(stepper, name)) for name in _own_fields(stepper)},
        "stepper_type": type(stepper).__name__,
        "counters": counters,
    }
    return Memory(document, arrays)


def recall(memory: Memory, state: State, stepper: TimeStepper) -> None:
    """Put back what :func:`remembered` took out.

    Raises
    ------
    UnfitCheckpoint
        It belongs to a problem with other variables, another mesh, or other objects.
    """
    document, arrays = memory.document, memory.arrays
    _refuse_others(memory, state, stepper)
    state.fields.unknowns[...] = arrays["unknowns"]
    state.old, state.older = arrays["unknowns"].copy(), arrays["older"]
    for kind, values in (("nodal", state.fields.nodal), ("elemental", state.fields.elemental)):
        for name, one in values.items():
            one[...] = arrays[f"{kind}/{name}"]
    for name, number in document["numbers"].items():
        setattr(state, name, number)
    state.values.update({name: one for name, one in document["values"].items() if name in state.values})
    for name in _own_fields(stepper):
        value = document["stepper"][name]
        setattr(stepper, name, StepRecord(**value) if isinstance(value, dict) else value)
    for number, (name, counter) in enumerate(state.counters.items()):
        _recall_counter(counter, document["counters"][name], f"counter/{number}", arrays)


def preconditioner_of(memory: Memory) -> tuple[Array, Array] | None:
    """The coefficients of the preconditioner that was in use."""
    arrays = memory.arrays
    if "preconditioner/mass" not in arrays:
        return None
    return arrays["preconditioner/mass"], arrays["preconditioner/stiffness"]


def _refuse_others(memory: Memory, state: State, stepper: TimeStepper) -> None:
    document, arrays = memory.document, memory.arrays
    expected = {"unknowns": state.fields.unknowns.shape, "older": state.fields.unknowns.shape}
    for kind, values in (("nodal", state.fields.nodal), ("elemental", state.fields.elemental)):
        expected |= {f"{kind}/{name}": one.shape for name, one in values.items()}
    if document["variables"] != list(state.fields.names):
        raise UnfitCheckpoint(f"it has the variables {' '.join(document['variables'])}")
    for name, shape in expected.items():
        found = arrays[name].shape if name in arrays else None
        if found != shape:
            raise UnfitCheckpoint(f"it has {name.rpartition('/')[2]} of the shape {found}, and this problem {shape}")
    if list(document["counters"]) != list(state.counters):
        raise UnfitCheckpoint(f"it has the counters {' '.join(document['counters']) or 'none'}")
    if document["stepper_type"] != type(stepper).__name__:
        raise UnfitCheckpoint(f"its steps were made by {document['stepper_type']}")


def _own_fields(stepper: TimeStepper) -> list[str]:
    """What a stepper learns in the course of a run; what the input says has no underscore."""
    return [one.name for one in fields(stepper) if one.name.startswith("_")]  # type: ignore[arg-type]  # all are


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, StepRecord) else value


def _remember_counter(counter: FloodCounter, key: str, arrays: dict[str, Array]) -> dict[str, Any]:
    found = counter.features
    arrays[f"{key}/ids"] = np.array([one.id for one in found], dtype=np.int64)
    arrays[f"{key}/variables"] = np.array([one.variable for one in found], dtype=np.int64)
    arrays[f"{key}/smallest"] = np.array([one.smallest_element for one in found], dtype=np.int64)
    arrays[f"{key}/sizes"] = np.array([len(one.elements) for one in found], dtype=np.int64)
    # Half as much to write; there are no meshes of so many elements.
    elements = [one.elements.astype(np.int32) for one in found]
    arrays[f"{key}/elements"] = np.concatenate([np.empty(0, np.int32), *elements])
    return {"tracker": None if counter.tracker is None else counter.tracker.memory()}


def _recall_counter(counter: FloodCounter, document: Mapping[str, Any], key: str, arrays: Mapping[str, Array]) -> None:
    ids, variables, smallest, sizes = (arrays[f"{key}/{name}"] for name in ("ids", "variables", "smallest", "sizes"))
    parts = np.split(arrays[f"{key}/elements"].astype(np.int64), np.cumsum(sizes)[:-1]) if len(sizes) else []
    counter.features = tuple(
        Feature(int(one), int(variable), elements, int(first))
        for one, variable, elements, first in zip(ids, variables, parts, smallest, strict=True)
    )
    if counter.tracker is not None:
        counter.tracker.recall(counter.features, document["tracker"] or {})
