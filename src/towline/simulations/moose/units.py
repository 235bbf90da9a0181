"""Conversion of units for ``${units …}``; pint knows the units."""

import re

from towline.errors import InvalidRequest

_UNIT = re.compile(r"[A-Za-zµΩ0-9_*/^().+-]{1,80}")
_HIGH_POWER = re.compile(r"(\^|\*\*)[^A-Za-z*/]*(\d{2,}|(\^|\*\*))")


def convert(number: str, unit: str, target: str) -> float:
    """Convert a number from one unit to another.

    Parameters
    ----------
    unit, target
        Products, quotients and powers of SI symbols with prefixes, eV, degC, degF, …: ``eV/nm^3``.

    Raises
    ------
    InvalidRequest
        The number is none, a unit is unknown, or the units measure different things.
    """
    import pint  # half a second that an input without units does not pay

    try:
        value = float(number)
    except ValueError:
        raise InvalidRequest(f"'{number}' is no number") from None
    for one in (unit, target):
        if not _UNIT.fullmatch(one) or _HIGH_POWER.search(one):
            raise InvalidRequest(f"'{one}' is no unit")
    registry = pint.get_application_registry()  # type: ignore[no-untyped-call]
    try:
        return float(registry.Quantity(value, unit).to(target).magnitude)
    except Exception as error:  # pint's parser lets errors of the tokenizer through
        raise InvalidRequest(f"cannot convert '{unit}' to '{target}': {error}") from error
