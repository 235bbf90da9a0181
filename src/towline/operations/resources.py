"""Resources that users give by hand."""

import difflib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from towline.core.resources import PortableResources, split_resources
from towline.errors import InvalidRequest


def scheduler_neutral(resources: Mapping[str, Any]) -> Mapping[str, Any]:
    """`resources`, after a check that each of them is one that every scheduler understands.

    Raises
    ------
    InvalidRequest
        A name is none of qtoolkit's `QResources`, or a value is not possible.
    """
    known = [item.name for item in fields(PortableResources)]
    for name in resources:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InvalidRequest(f"{name!r} is none of the QResources; {hint}They are {', '.join(known)}")
    split_resources(resources)
    return resources
