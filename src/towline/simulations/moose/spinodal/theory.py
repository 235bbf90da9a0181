"""Spinodal decomposition: free energies of a mixture and what follows from them, without solving anything.

``∂c/∂t = ∇·(M∇w)``, ``w = df/dc − κ∇²c``. A mixture of mean composition c₀ with f″(c₀) < 0 decomposes: a wave of wave
number k grows as exp(ω(k) t), ``ω = −M k² (f″ + κk²)``, fastest at ``k* = √(−f″/2κ)`` with ``ω* = M f″²/(4κ)``
(Cahn, Acta Metallurgica 9, 795, 1961).

The iron-chromium energy is that of MOOSE's spinodal tutorial at 500 °C: nm, s, eV.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad  # type: ignore[import-untyped]  # ships no types
from scipy.optimize import brentq, fsolve  # type: ignore[import-untyped]  # ships no types

from towline.simulations.application import Case

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

ELECTRONVOLTS_PER_JOULE = 6.24150934e18
#: Cubic metres in a cubic nanometre.
SCALE = 1e-27
#: A to G, in J/m³ per mole of lattice sites as the tutorial fits them, 500 °C.
IRON_CHROMIUM = (-2.446831e4, -2.827533e4, 4.167994e3, 7.052907e3, 1.208993e4, 2.568625e3, -2.354293e3)
IRON_CHROMIUM_KAPPA = 8.125e-16 * ELECTRONVOLTS_PER_JOULE * 1e9**2 * SCALE
IRON_CHROMIUM_MOBILITY = 2.2841e-26 * 1e9**2 / ELECTRONVOLTS_PER_JOULE / SCALE


@dataclass(frozen=True)
class Mixture:
    """A free energy per volume with its first two derivatives, gradient energy and mobility."""

    energy: Function
    slope: Function
    curvature: Function
    kappa: float
    mobility: float
    #: Whether the energy has logarithms, which need 0 < c < 1.
    logarithmic: bool
    #: Of lengths, times and energies.
    units: tuple[str, str, str] = ("", "", "")
    #: Where phases are looked for.
    limits: tuple[float, float] = field(default=(1e-6, 1 - 1e-6))

    def curvature_at(self, c: float) -> float:
        """``f″(c)``."""
        return float(self.curvature(np.asarray(c)))

    @cached_property
    def spinodal(self) -> tuple[float, float]:
        """The compositions between which f″ < 0."""
        grid = np.linspace(*self.limits, 4001)
        values = self.curvature(grid)
        signs = np.flatnonzero(np.diff(np.sign(values)) != 0)
        roots = [float(brentq(self.curvature_at, grid[i], grid[i + 1])) for i in (signs[0], signs[-1])]
        return roots[0], roots[1]

    @cached_property
    def binodal(self) -> tuple[float, float]:
        """The two phases in equilibrium: the common tangent of f."""
        low, high = self.spinodal

        def tangent(pair: Array) -> list[float]:
            a, b = pair
            slopes, values = self.slope(pair), self.energy(pair)
            return [float(slopes[0] - slopes[1]), float(values[1] - values[0] - slopes[0] * (b - a))]

        # Wells that are no logarithms have their minima at 0 and 1.
        start = (0.6 * low, 1 - 0.6 * (1 - high)) if self.logarithmic else (0.0, 1.0)
        a, b = fsolve(tangent, start, xtol=1e-13)
        return float(a), float(b)

    @property
    def largest_instability(self) -> float:
        """The largest −f″ between the phases."""
        return float(-self.curvature(np.linspace(*self.spinodal, 2001)).min())

    def fastest_wavelength(self, mean: float) -> float:
        """``λ* = 2π/√(−f″/2κ)``; nan if the mixture is stable at this mean composition."""
        value = -self.curvature_at(mean)
        return 2 * math.pi / math.sqrt(value / (2 * self.kappa)) if value > 0 else math.nan

    def growth_rate(self, mean: float, wave_number: float | None = None) -> float:
        """``ω(k)``, by default that of the fastest wave; nan if the mixture is stable."""
        value = self.curvature_at(mean)
        if wave_number is not None:
            return -self.mobility * wave_number**2 * (value + self.kappa * wave_number**2)
        return self.mobility * value**2 / (4 * self.kappa) if value < 0 else math.nan

    @property
    def longest_unique_step(self) -> float:
        """``4κ/(M max(−f″)²)``: up to here an implicit Euler step has one solution only."""
        return 4 * self.kappa / (self.mobility * self.largest_instability**2)

    def excess(self, c: Array) -> Array:
        """``Δf``: the energy above the common tangent."""
        a, b = self.binodal
        ends = self.energy(np.array([a, b]))
        return np.asarray(self.energy(c) - ends[0] - (ends[1] - ends[0]) * (c - a) / (b - a))

    @cached_property
    def interface_energy(self) -> float:
        """``∫√(2κΔf) dc`` between the phases, per length or area."""
        a, b = self.binodal
        value, _ = quad(lambda c: math.sqrt(max(0.0, 2 * self.kappa * float(self.excess(np.asarray(c))))), a, b)
        return float(value)

    @cached_property
    def interface_width(self) -> float:
        """From 10 to 90 % of the step between the phases: ``∫dc/√(2Δf/κ)``."""
        a, b = self.binodal

        def steepness(c: float) -> float:
            return 1 / math.sqrt(2 * float(self.excess(np.asarray(c))) / self.kappa)

        value, _ = quad(steepness, a + 0.1 * (b - a), b - 0.1 * (b - a))
        return float(value)

    def phase_share(self, mean: float) -> float:
        """Share of the second phase in equilibrium, by the lever rule."""
        a, b = self.binodal
        return (mean - a) / (b - a)


def double_well(height: float, kappa: float, mobility: float) -> Mixture:
    """``f = W c²(1 − c)²``; no units."""
    return Mixture(
        lambda c: height * c**2 * (1 - c) ** 2,
        lambda c: 2 * height * c * (1 - c) * (1 - 2 * c),
        lambda c: 2 * height * (1 - 6 * c + 6 * c**2),
        kappa,
        mobility,
        logarithmic=False,
    )


def iron_chromium() -> Mixture:
    """Iron-chromium at 500 °C; c is the mole fraction of chromium."""
    factor = ELECTRONVOLTS_PER_JOULE * SCALE
    a, b, c0, d, e, f, g = (factor * one for one in IRON_CHROMIUM)

    def energy(c: Array) -> Array:
        mixing = (1 - c) * c * (e + f * (2 * c - 1) + g * (2 * c - 1) ** 2)
        return np.asarray(a * c + b * (1 - c) + c0 * c * np.log(c) + d * (1 - c) * np.log(1 - c) + mixing)

    def slope(c: Array) -> Array:
        u = 2 * c - 1
        mixing = -u * (e + f * u + g * u**2) + c * (1 - c) * (2 * f + 4 * g * u)
        return np.asarray(a - b + c0 * (np.log(c) + 1) - d * (np.log(1 - c) + 1) + mixing)

    def curvature(c: Array) -> Array:
        u = 2 * c - 1
        mixing = -2 * (e + f * u + g * u**2) - 2 * u * (2 * f + 4 * g * u) + c * (1 - c) * 8 * g
        return np.asarray(c0 / c + d / (1 - c) + mixing)

    units = ("nm", "s", "eV")
    return Mixture(energy, slope, curvature, IRON_CHROMIUM_KAPPA, IRON_CHROMIUM_MOBILITY, logarithmic=True, units=units)


def mixture_of(case: Case) -> Mixture:
    """Return the mixture that a case describes: ``fe_mode`` FeCr, or a double well of W, kappa and M."""
    if case["fe_mode"] == "FeCr":
        return iron_chromium()
    return double_well(case.number("W"), case.number("kappa"), case.number("M"))
