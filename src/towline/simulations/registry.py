"""The applications that there are: those of towline, and those that other packages offer.

A package offers one by an entry point of the group ``towline.simulations`` that names its ``APPLICATION``.
"""

import importlib
from importlib import metadata

from towline.errors import ConfigurationError, InvalidRequest
from towline.simulations.application import Application
from towline.simulations.moose.problems import suggestion

GROUP = "towline.simulations"

_BUILT_IN = {
    "grain_growth": "towline.simulations.moose.grain_growth",
    "spinodal": "towline.simulations.moose.spinodal",
}


def names() -> list[str]:
    """Names of the applications, those of towline first; none is loaded."""
    return list(_BUILT_IN) + sorted(point.name for point in _entry_points() if point.name not in _BUILT_IN)


def find(name: str) -> Application:
    """The application of this name.

    Raises
    ------
    InvalidRequest
        There is none.
    ConfigurationError
        The package that offers it cannot be loaded, or offers something else.
    """
    if name in _BUILT_IN:
        found: Application = importlib.import_module(_BUILT_IN[name]).APPLICATION
        return found
    for point in _entry_points():
        if point.name == name:
            return _loaded(point)
    known = names()
    hint = suggestion(name, known)
    raise InvalidRequest(f"there is no physics {name!r}; there are {', '.join(known)}{hint}")


def _entry_points() -> tuple[metadata.EntryPoint, ...]:
    return tuple(metadata.entry_points(group=GROUP))


def _loaded(point: metadata.EntryPoint) -> Application:
    package = "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    try:
        found: Application = point.load()
    except Exception as error:  # the package of somebody else may raise anything
        raise ConfigurationError(
            f"the physics {point.name!r} of {package} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if getattr(found, "name", None) != point.name:
        raise ConfigurationError(
            f"{point.value} of {package} is no application called {point.name!r}; "
            "see towline.simulations.application.Application"
        )
    return found
