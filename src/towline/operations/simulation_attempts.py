"""What became of each attempt of a simulation: why it failed, and what was different in the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towline.errors import InvalidRequest
from towline.simulations.run_directory import RECORD, read_json


@dataclass(frozen=True)
class Attempt:
    """One attempt, as its record tells of it."""

    folder: Path
    number: int
    status: str
    #: The class of failures, as ``SOLVER_DIVERGENCE``; empty if it did not fail.
    failure: str = ""
    #: Why it failed, with the evidence; empty if it did not.
    diagnosis: str = ""
    #: What is different in the next attempt; empty if there is none.
    correction: str = ""
    #: Values of what is simulated that would help, for a person to decide on.
    proposals: Mapping[str, Any] = field(default_factory=dict)


def attempts_of(folders: Sequence[Path]) -> list[Attempt]:
    """The attempts of a simulation, in the order of their run directories; one that is gone is left out."""
    found = []
    for folder in folders:
        try:
            record = read_json(folder / RECORD)
        except InvalidRequest:
            continue
        found.append(_attempt(folder, record))
    return found


def _attempt(folder: Path, record: Mapping[str, Any]) -> Attempt:
    review, correction = record.get("review") or {}, record.get("correction") or {}
    return Attempt(
        folder,
        int(record.get("attempt", 1)),
        str(record.get("status", "unknown")),
        failure=str(review.get("failure", "")),
        diagnosis=str(review.get("sentence", "")),
        correction=str(correction.get("note", "")),
        proposals=dict(review.get("proposals") or {}),
    )
