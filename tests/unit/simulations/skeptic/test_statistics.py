"""Fits and structure factors against what is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towline.simulations.analysis.regression import (
    curvature_of,
    fit_exponential,
    fit_growth,
    fit_line,
    fit_power,
)
from towline.simulations.analysis.structure_factor import structure_factor


def test_a_line_has_the_standard_errors_of_the_textbook():
    # Draper and Smith's formulas, by hand for four points.
    line = fit_line([0, 1, 2, 3], [1, 3, 4, 8])
    assert (line.slope, line.intercept) == (pytest.approx(2.2), pytest.approx(0.7))
    variance = np.sum((np.array([1, 3, 4, 8]) - line.at([0, 1, 2, 3])) ** 2) / 2
    assert line.slope_error == pytest.approx(math.sqrt(variance / 5))
    assert line.intercept_error == pytest.approx(math.sqrt(variance * (1 / 4 + 1.5**2 / 5)))
    assert line.r_squared == pytest.approx(1 - 2 * variance / 26)


def test_a_constant_is_no_perfect_fit():
    assert math.isnan(fit_line([0, 1, 2], [5, 5, 5]).r_squared)
    assert fit_line([1, 1, 1], [1, 2, 3]) is None
    assert fit_line([], []) is None


def test_points_that_are_no_numbers_are_left_out():
    assert fit_line([0, 1, 2, np.nan, 3], [0, 2, np.inf, 1, 6]).slope == pytest.approx(2)


@settings(deadline=None)  # of a shared machine it says nothing
@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=12))
def test_no_points_make_a_fit_raise(points):
    x, y = [one for one, _ in points], [one for _, one in points]
    with np.errstate(all="ignore"):
        for fit in (fit_line, fit_power, fit_exponential, fit_growth):
            fit(x, y)
        curvature_of(x, y)


def test_power_laws_and_exponentials_are_lines_in_logarithms():
    t = np.geomspace(1, 100, 20)
    assert fit_power(t, 3 * t**0.33).slope == pytest.approx(0.33)
    assert fit_exponential(t, 3 * np.exp(-0.2 * t)).slope == pytest.approx(-0.2)


@pytest.mark.parametrize("exponent", [2.0, 3.0, 4.0])
def test_the_exponent_of_growth_is_found(exponent):
    t = np.linspace(0, 50, 40)
    found = fit_growth(t, (7.0**exponent + 40 * 7.0 ** (exponent - 1) * t) ** (1 / exponent))
    assert found.exponent == pytest.approx(exponent, rel=0.01)
    assert found.start == pytest.approx(7.0, rel=0.01)
    assert found.rate == pytest.approx(40 * 7.0 ** (exponent - 1), rel=0.05)


def test_curvature_compares_the_halves():
    x = np.linspace(0, 1, 21)
    assert curvature_of(x, 3 * x) == pytest.approx(1)
    assert curvature_of(x, np.where(x < 0.5, x, 0.5 + 3 * (x - 0.5))) == pytest.approx(3)
    assert math.isnan(curvature_of([0, 1], [0, 1]))


@pytest.mark.parametrize("waves", [3, 8])
def test_a_single_wave_has_its_own_wave_number(waves):
    x = np.arange(64) * 0.5
    field = np.cos(2 * np.pi * waves * x / 32)[None, :] * np.ones((48, 1))
    found = structure_factor(field, (0.5, 2 / 3))
    assert found.wavelength == pytest.approx(32 / waves, rel=1e-6)
    # Parseval: all waves together are the variance.
    assert (found.values * found.counts).sum() == pytest.approx(field.var())
    assert math.isnan(structure_factor(np.ones((8, 8)), (1, 1)).first_moment)
