"""The structure factor of a field: how much of its variance lies at which wave number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StructureFactor:
    """``S(k)``, averaged over directions."""

    #: Mean of each ring, weighted by |c_k|², in 1 over the unit of length.
    wave_numbers: Array
    #: Mean of |c_k|² over the waves of the ring; Σ|c_k|² over all waves is the variance of the field.
    values: Array
    #: Waves per ring.
    counts: NDArray[np.int64]

    @property
    def first_moment(self) -> float:
        """``Σ k S(k) / Σ S(k)`` over all waves; nan for a field that does not vary."""
        weights = self.values * self.counts
        total = float(weights.sum())
        return float((self.wave_numbers * weights).sum() / total) if total > 0 else float("nan")

    @property
    def wavelength(self) -> float:
        """``2π`` over the first moment."""
        return 2 * np.pi / self.first_moment


def structure_factor(field: Array, spacings: Sequence[float]) -> StructureFactor:
    """Return the structure factor of a periodic field.

    Parameters
    ----------
    field
        Values on a regular grid; the last axis is x.
    spacings
        Size of a cell along x, y, z.
    """
    centred = field - field.mean()
    power = np.abs(np.fft.fftn(centred) / centred.size) ** 2
    sides = zip(centred.shape, reversed(list(spacings)), strict=True)
    axes = [2 * np.pi * np.fft.fftfreq(count, spacing) for count, spacing in sides]
    lengths = np.sqrt(sum(one**2 for one in np.meshgrid(*axes, indexing="ij")))
    # A ring has the width of the smallest wave number that fits into the box.
    width = min(2 * np.pi / (n * h) for n, h in zip(centred.shape, reversed(list(spacings)), strict=True))
    rings = np.rint(lengths / width).astype(int).ravel()
    counts = np.bincount(rings)
    sums = np.bincount(rings, weights=power.ravel())
    # The wave number of a ring is that of what lies in it; of an empty one, that of its waves.
    plain, weighted = (np.bincount(rings, weights=one.ravel()) for one in (lengths, lengths * power))
    kept = np.flatnonzero(counts[1:]) + 1
    middle = np.where(
        sums[kept] > 0, weighted[kept] / np.where(sums[kept] > 0, sums[kept], 1), plain[kept] / counts[kept]
    )
    return StructureFactor(middle, sums[kept] / counts[kept], counts[kept])
