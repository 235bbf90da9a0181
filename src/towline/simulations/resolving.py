"""Giving every parameter of a case its value: what was stated, what is the default, what follows from the others."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from towline.simulations.application import Case, Origin, Parameter, Scalar, Value


class Resolution:
    """Values of a case that is being resolved.

    Parameters
    ----------
    parameters
        Of the application.
    stated
        Checked values of some of them.
    """

    def __init__(self, parameters: Iterable[Parameter], stated: Mapping[str, Value]) -> None:
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._values: dict[str, Value] = {
            name: Value(parameter.default, Origin.DEFAULT, parameter.unit)
            for name, parameter in self._parameters.items()
            if parameter.default is not None
        }
        self._values |= stated

    def __contains__(self, name: str) -> bool:
        """Whether a parameter has a value by now."""
        return name in self._values

    def __getitem__(self, name: str) -> Scalar:
        return self._values[name].value

    def number(self, name: str) -> float:
        """The value of a numerical parameter."""
        return float(self._values[name].value)

    def is_stated(self, name: str) -> bool:
        """Whether somebody chose the value."""
        return name in self._values and self._values[name].origin not in (Origin.DEFAULT, Origin.DERIVED)

    def derive(self, name: str, value: Scalar, note: str) -> None:
        """Give a parameter the value that follows from the others, unless it was stated.

        Parameters
        ----------
        note
            The formula, in words.
        """
        if not self.is_stated(name):
            parameter = self._parameters[name]
            exact = int(value) if parameter.kind is int else _rounded(value) if isinstance(value, float) else value
            self._values[name] = Value(exact, Origin.DERIVED, parameter.unit, note)

    def case(self, physics: str, unused: Iterable[str] = (), units: Mapping[str, str] | None = None) -> Case:
        """The case, its values in the order of the parameters.

        Parameters
        ----------
        unused
            Parameters without a meaning in this case; they are left out unless they were stated.
        units
            Units of this case for parameters that have none of their own.
        """
        left_out = {name for name in unused if not self.is_stated(name)}
        values = {name: self._values[name] for name in self._parameters if name in self._values}
        with_units = {
            name: replace(value, unit=value.unit or (units or {}).get(name, "")) for name, value in values.items()
        }
        return Case(physics, {name: value for name, value in with_units.items() if name not in left_out})


def _rounded(value: float) -> float:
    """A derived number with the digits that matter, so that inputs can be read and compared."""
    return float(f"{value:.6g}")
