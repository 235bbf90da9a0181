"""Normal grain growth: the constants that GBEvolution makes of a material, and what sharp-interface theory says.

Lengths in nm, times in ns, energies in eV, temperatures in K. The free energy is
``F = ∫ μ(Σ(η⁴/4 − η²/2) + γ Σ_{i<j} η_i²η_j² + ¼) + κ/2 Σ|∇η_i|²`` with γ = 1.5, and ``∂η_i/∂t = −L δF/δη_i``.
A boundary has the profile ``½[1 − tanh(2x/w)]`` and the energy σ per length, and moves with M σ times its curvature.

Sources: GBEvolution of MOOSE's phase-field module (constants and units); Moelans, Blanpain and Wollants, Phys. Rev. B
78, 024113 (2008) for κ, μ and L; Schönfelder et al., Interface Science 5, 245 (1997) for copper.
"""

import math
from dataclasses import dataclass

from towline.simulations.application import Case

#: Joule in eV, as GBEvolution has it.
ELECTRONVOLTS_PER_JOULE = 6.24150974e18
#: Boltzmann's constant in eV/K, as GBEvolution has it.
BOLTZMANN = 8.617343e-5
#: Of GBEvolution: lengths in m, times in s.
LENGTH_SCALE, TIME_SCALE = 1e-9, 1e-9


@dataclass(frozen=True)
class Boundary:
    """What a grain boundary does at a temperature."""

    #: nm; the width w of the profile.
    width: float
    #: M, in nm⁴/(eV ns).
    mobility: float
    #: σ, in eV/nm².
    energy: float

    @property
    def kinetic_coefficient(self) -> float:
        """``M σ``, in nm²/ns: velocity over curvature of a boundary."""
        return self.mobility * self.energy

    @property
    def relaxation_rate(self) -> float:
        """``L``, in nm³/(eV ns): 4M/(3w)."""
        return 4 * self.mobility / (3 * self.width)

    @property
    def barrier(self) -> float:
        """``μ``, in eV/nm³: 6 σ/w."""
        return 6 * self.energy / self.width

    @property
    def longest_unique_step(self) -> float:
        """``1/(Lμ)``, in ns: up to here an implicit step has one solution only."""
        return 1 / (self.relaxation_rate * self.barrier)

    @property
    def settling_time(self) -> float:
        """``w²/(Mσ) = 8/(Lμ)``, in ns: the profile of the boundaries has forgotten how it was made."""
        return self.width**2 / self.kinetic_coefficient


def boundary(
    temperature: float, *, width: float, prefactor: float, activation_energy: float, energy: float
) -> Boundary:
    """Return the boundary of a material.

    Parameters
    ----------
    temperature
        K.
    width
        nm.
    prefactor
        GBmob0, in m⁴/(J s): ``M = GBmob0 exp(−Q/k_B T)``.
    activation_energy
        Q, in eV.
    energy
        GBenergy, in J/m².
    """
    factor = TIME_SCALE / (ELECTRONVOLTS_PER_JOULE * LENGTH_SCALE**4)
    mobility = prefactor * factor * math.exp(-activation_energy / (BOLTZMANN * temperature))
    return Boundary(width, mobility, energy * ELECTRONVOLTS_PER_JOULE * LENGTH_SCALE**2)


def boundary_of(case: Case) -> Boundary:
    """Return the boundary that a case describes."""
    return boundary(
        case.number("T"),
        width=case.number("wGB"),
        prefactor=case.number("GBmob0"),
        activation_energy=case.number("Q"),
        energy=case.number("GBenergy"),
    )


def mean_radius(volume: float, grains: float, dimension: int) -> float:
    """Radius of the disc, or ball, that holds the mean share of a grain, in the unit of length of `volume`."""
    share = volume / grains
    return math.sqrt(share / math.pi) if dimension == 2 else (3 * share / (4 * math.pi)) ** (1 / 3)


def reduced_time(one: Boundary, time: float, radius: float) -> float:
    """``τ = Mσ t/⟨R⟩²``: how far grains of this mean radius get; growth shows from about 1 on."""
    return one.kinetic_coefficient * time / radius**2
