"""Which function runs a payload of which kind. Nothing is imported before it is needed."""

import functools
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from towline.core.records import HANDLER, Result
from towline.errors import ConfigurationError

#: ``run(header, payload, {uuid: (index, output)}) -> Result``; errors of the user are in the result, not raised.
PayloadRunner = Callable[[dict[str, Any], bytes, dict[str, tuple[int, bytes]]], Result]

#: Kinds of work that towline itself brings. Commands run without Python: see :mod:`towline.on_worker.command`.
_BUILT_IN: Mapping[str, str] = {
    "jobflow": "towline.jobflow.payload:run_payload",
    HANDLER: "towline.on_worker.handler:run_payload",
    "allocation": "towline.on_worker.batch.allocation:run_payload",
}

#: Entry points of other distributions: ``kind = module:function``.
ENTRY_POINT_GROUP = "towline.payloads"

#: ``kind=module:function,...`` for kinds that no distribution brings.
EXTRA_VARIABLE = "TOWLINE_EXTRA_PAYLOADS"


@functools.cache
def payload_runner(kind: str) -> PayloadRunner:
    """The function that runs payloads of this kind.

    Raises
    ------
    ConfigurationError
        Nothing in this environment knows the kind, or it cannot be imported.
    """
    places = {**_extra(), **_BUILT_IN}
    place = places.get(kind) or _entry_point(kind)
    if place is None:
        known = ", ".join(sorted(places))
        raise ConfigurationError(
            f"nothing here runs payloads of the kind {kind!r}; known are {known}. Install what brings it here."
        )
    module, _, name = place.partition(":")
    try:
        runner: PayloadRunner = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"payloads of the kind {kind!r} need {place}, which fails: {error}") from error
    return runner


def rehearsals() -> dict[str, tuple[dict[str, Any], bytes]]:
    """Header and payload of a harmless job, for each kind whose module is loaded and offers one as `rehearsal`."""
    offers = {
        kind: getattr(sys.modules.get(place.partition(":")[0]), "rehearsal", None) for kind, place in _BUILT_IN.items()
    }
    return {kind: offer() for kind, offer in offers.items() if offer is not None}


def _extra() -> dict[str, str]:
    pairs = [pair.partition("=") for pair in os.environ.get(EXTRA_VARIABLE, "").split(",") if pair]
    return {kind: place for kind, _, place in pairs}


def _entry_point(kind: str) -> str | None:
    # Looking through all installed distributions takes a while; only kinds of other distributions pay for it.
    from importlib.metadata import entry_points

    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=kind):
        return entry_point.value
    return None
