"""The two problems that the documentation shows, in small: iron-chromium, and the growth of copper grains."""

import numpy as np
import pytest

pytestmark = pytest.mark.slow

#: Of the common tangent of the free energy, as fractions of chromium.
IRON_RICH, CHROMIUM_RICH = 0.2363, 0.8237


def test_iron_chromium_reaches_its_equilibrium_compositions(solve):
    table = solve("iron_chromium").table()
    assert table["lowest"][-1] == pytest.approx(IRON_RICH, abs=0.01)
    assert table["highest"][-1] == pytest.approx(CHROMIUM_RICH, abs=0.01)
    assert np.abs(table["total"] - table["total"][0]).max() < 1e-8 * table["total"][0]
    drop = table["total_energy"][0] - table["total_energy"][-1]
    assert drop > 0
    # The solver's tolerance leaves some noise.
    assert np.all(np.diff(table["total_energy"]) < 1e-8 * drop)


def test_the_rate_of_grain_growth_has_the_activation_energy_of_the_input(solve):
    # The guide shows four temperatures with 100 grains each; here the same grains grow at two of them, in a small box.
    small = ("grains=25", "side=354", "cells=94", "reduced_time=1")
    temperatures, tables = (450, 800), []
    for temperature in temperatures:
        tables.append(solve("copper", *small, f"T={temperature}").table())
    slow = tables[0]
    assert slow["area"][-1] < 0.9 * slow["area"][0]
    for table in tables:
        assert np.all(np.diff(table["tracker"]) <= 0)
    # Only the clock differs: times at which the same length of boundaries is left.
    lengths = np.linspace(slow["area"][5], slow["area"][-1], 7)[1:-1]
    times = [np.interp(-lengths, -table["area"], table["time"]) for table in tables]
    ratio = times[0] / times[1]
    found = 8.617343e-5 * np.log(ratio) / (1 / temperatures[0] - 1 / temperatures[1])
    assert found == pytest.approx(0.23, abs=1e-3)
