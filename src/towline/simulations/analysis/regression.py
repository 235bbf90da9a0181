"""Fits of lines and power laws, with standard errors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import curve_fit  # type: ignore[import-untyped]  # ships no types

Array = NDArray[np.float64]

_LARGEST = 1e140


@dataclass(frozen=True)
class LineFit:
    """A straight line through points, by least squares."""

    intercept: float
    slope: float
    #: Standard errors; nan for two points, which leave nothing to estimate them from.
    intercept_error: float
    slope_error: float
    #: Share of the variance that the line explains; nan if y does not vary, because then there is nothing to explain.
    r_squared: float
    count: int

    def at(self, x: ArrayLike) -> Array:
        """Return the line at `x`."""
        return self.intercept + self.slope * np.asarray(x, dtype=float)


@dataclass(frozen=True)
class GrowthFit:
    """``y(t) = (y(0)^n + k t)^(1/n)``, the law of normal growth with a free exponent."""

    exponent: float
    exponent_error: float
    rate: float
    start: float


def fit_line(x: ArrayLike, y: ArrayLike) -> LineFit | None:
    """Fit a line by ordinary least squares; None if there are fewer than two different x.

    The standard errors are ``s/√Sxx`` for the slope and ``s √(1/n + x̄²/Sxx)`` for the intercept, with the residual
    variance ``s² = Σr²/(n − 2)``. Points that are not finite are left out.
    """
    a, b = finite_pairs(x, y)
    if len(a) < 2:
        return None
    centre = a.mean()
    spread = float(np.sum((a - centre) ** 2))
    if spread <= (1e-14 * max(1e-300, float(np.abs(a).max()))) ** 2 * len(a):
        return None
    slope = float(np.sum((a - centre) * (b - b.mean())) / spread)
    intercept = float(b.mean() - slope * centre)
    residual = float(np.sum((b - intercept - slope * a) ** 2))
    total = float(np.sum((b - b.mean()) ** 2))
    variance = residual / (len(a) - 2) if len(a) > 2 else float("nan")
    varies = total > (1e-14 * max(1e-300, float(np.abs(b).max()))) ** 2 * len(b)
    return LineFit(
        intercept,
        slope,
        float(np.sqrt(variance * (1 / len(a) + centre**2 / spread))),
        float(np.sqrt(variance / spread)),
        1 - residual / total if varies else float("nan"),
        len(a),
    )


def fit_power(x: ArrayLike, y: ArrayLike) -> LineFit | None:
    """Fit ``y = A x^p`` as a line in logarithms, of slope p; points that are not positive drop."""
    a, b = finite_pairs(x, y)
    positive = (a > 0) & (b > 0)
    return fit_line(np.log(a[positive]), np.log(b[positive]))


def fit_exponential(x: ArrayLike, y: ArrayLike) -> LineFit | None:
    """Fit ``y = A exp(r x)`` as a line in ln y, of slope r; values that are not positive drop."""
    a, b = finite_pairs(x, y)
    return fit_line(a[b > 0], np.log(b[b > 0]))


def fit_growth(times: ArrayLike, sizes: ArrayLike, exponent: float = 2.0) -> GrowthFit | None:
    """Fit the exponent n of ``y^n − y(0)^n ∝ t``; None if there are fewer than five points or the fit fails.

    Parameters
    ----------
    exponent
        Where the search begins.
    """
    t, y = finite_pairs(times, sizes)
    if len(t) < 5 or np.ptp(t) <= 0 or y.min() <= 0 or np.ptp(y) <= 1e-9 * y.max():
        return None
    # Scaled, so that the three unknowns are of order one.
    t, unit = (t - t[0]) / np.ptp(t), y[0]
    y = y / unit
    seconds = float(np.ptp(np.asarray(times, dtype=float)[np.isfinite(times)]))

    def law(t: Array, n: float, k: float, start: float) -> Array:
        base = np.maximum(np.maximum(start, 1e-6) ** n + k * t, 1e-12)
        return np.asarray(base ** (1 / n))

    guess = (exponent, max(1e-3, float(y[-1]) ** exponent - 1), 1.0)
    try:
        found, covariance = curve_fit(law, t, y, p0=guess, bounds=([0.2, 0, 0.2], [20, np.inf, 5]), max_nfev=5000)
        n, k, start = (float(one) for one in found)
        rate = k * float(unit) ** n / seconds
    except (RuntimeError, ValueError, OverflowError):
        return None
    return GrowthFit(n, float(np.sqrt(covariance[0, 0])), rate, start * float(unit))


def curvature_of(x: ArrayLike, y: ArrayLike) -> float:
    """Slope of the second half of the points over that of the first half: 1 for a line; nan if it cannot be told."""
    a, b = finite_pairs(x, y)
    order = np.argsort(a, kind="stable")
    a, b = a[order], b[order]
    middle = len(a) // 2
    first, second = fit_line(a[: middle + 1], b[: middle + 1]), fit_line(a[middle:], b[middle:])
    if first is None or second is None or len(a) < 6 or first.slope == 0:
        return float("nan")
    return second.slope / first.slope


def finite_pairs(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return the points of which both numbers are finite, and can be squared."""
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    keep = (np.abs(a) < _LARGEST) & (np.abs(b) < _LARGEST)
    return a[keep], b[keep]
