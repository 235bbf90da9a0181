"""How often a runner says that it lives, and with it how its workers fare."""

from collections.abc import Iterable, Mapping
from typing import Any

LEASE_SECONDS = 30.0

#: While a worker is being connected, and while something may change at any moment.
_UNSETTLED_SECONDS, _CHANGING_SECONDS = 0.5, 2.0


def renewal_seconds(workers: Iterable[Mapping[str, Any]]) -> float:
    """Time to the next sign of life: what is told with it about the workers must not be wrong for long.

    Parameters
    ----------
    workers
        What each of them says of itself, see :meth:`towline.core.ports.Worker.status`.
    """
    return min(map(_of_one, workers), default=LEASE_SECONDS / 3)


def _of_one(facts: Mapping[str, Any]) -> float:
    if not (facts.get("connected", True) or facts.get("problem")):
        return _UNSETTLED_SECONDS
    # Elsewhere the network may go at any moment.
    is_elsewhere = "round_trips" in facts
    busy = facts.get("running", 0) + facts.get("waiting", 0) + facts.get("queued", 0)
    return _CHANGING_SECONDS if facts.get("problem") or (is_elsewhere and busy) else LEASE_SECONDS / 3
