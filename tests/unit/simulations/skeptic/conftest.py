"""Runs whose results are known exactly, written as the files that a solver leaves; tests spoil them in one way."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from towline.simulations import parameters
from towline.simulations.application import Outcome, RunFiles
from towline.simulations.moose import grain_growth, spinodal
from towline.simulations.moose.grain_growth.theory import boundary_of
from towline.simulations.moose.spinodal.theory import mixture_of


class KnownRun:
    """A case, its columns, its log and its input; `write` makes the files of it."""

    def __init__(self, folder, application, stated, columns):
        self.folder, self.application = folder, application
        self.case = application.resolve(parameters.check(application, stated))
        self.columns = columns(self.case)
        self.log = steps_of(self.columns["time"]) + "\nFinished Executing        1.00 s\n"
        self.input = application.input_text(self.case)
        self.exit_code = 0
        self.ending = "\n"

    def write(self):
        """Write the files and return them."""
        names = list(self.columns)
        rows = zip(*self.columns.values(), strict=True)
        lines = [",".join(names), *(",".join(f"{value:.14g}" for value in row) for row in rows)]
        paths = {"run.i": self.input, "run.log": self.log, "run.csv": "\n".join(lines) + self.ending}
        for name, text in paths.items():
            (self.folder / name).write_text(text)
        return RunFiles(
            self.folder, self.folder / "run.i", self.folder / "run.log", self.folder / "run.csv", None, self.exit_code
        )

    def judge(self, files=None):
        """Return the checks of the run by their ids."""
        files = files or self.write()
        results = self.application.results(self.case, files)
        return {one.check: one for one in self.application.checks(self.case, files, results)}

    def outcome(self, check):
        """Return what one check says, after looking that it says it with a reason."""
        found = self.judge()[check]
        assert found.reason
        assert found.outcome is not Outcome.FAIL or found.cause
        return found.outcome

    def without(self, *names):
        """Leave out columns."""
        self.columns = {name: values for name, values in self.columns.items() if name not in names}
        return self

    def with_value(self, name, value):
        """Change the case, not the input."""
        values = dict(self.case.values)
        values[name] = replace(values[name], value=value)
        self.case = replace(self.case, values=values)
        return self


def steps_of(times, rejected=0):
    """A console of accepted steps, with some rejected ones before them."""
    text = "\nTime Step 0, time = 0\n"
    for number, (before, time) in enumerate(itertools.pairwise(times), start=1):
        step = f"\nTime Step {number}, time = {time:.10g}, dt = {time - before:.10g}\n 0 Nonlinear |R| = 1.0e+00\n"
        if number <= rejected:
            text += step + " Solve Did NOT Converge!\n"
        text += step + " Solve Converged!\n"
    return text


def growing_grains(case):
    """Normal growth: 1/N linear in time, energy σ times the boundary, from Voronoi cells that all own a node."""
    one, start = boundary_of(case), case.number("num_grains")
    box = case.number("xmax") * case.number("ymax")
    # d⟨A⟩/dt = 1.1 Mσ, as literature has it.
    rate = 1.1 * one.kinetic_coefficient / box
    times = np.linspace(0, case.number("end_time"), 161)
    counts = np.floor(1 / (1 / start + rate * times) + 1e-9)
    length = 2.1 * np.sqrt(box * start / (1 + rate * start * times))
    return {
        "time": times,
        "DOFs": np.full(161, 1e5),
        "avg_grain_volume": box / counts * 0.995,
        "dt": np.full(161, times[1]) * (times > 0),
        "eta_max": np.full(161, 1.001),
        "eta_min": np.full(161, -0.001),
        "gb_length": length,
        "grain_tracker": counts,
        "n_elements": np.full(161, 1e4),
        "total_energy": 0.99 * one.energy * length,
    }


def decomposing_mixture(case):
    """Linear growth, saturation at the common tangent, and domains that grow as t^(1/3)."""
    mixture = mixture_of(case)
    low, high = mixture.binodal
    box, mean = case.number("xmax") * case.number("ymax"), case.number("c0")
    rate = mixture.growth_rate(mean)
    times = np.linspace(0, 1, 401) ** 2 * case.number("end_time")
    amplitude = 0.003 * (high - low) * np.exp(np.minimum(0.95 * rate * times, 40))
    saturated = 0.47 * (high - low) * np.tanh(amplitude / (0.47 * (high - low)))
    decomposed = 8 / rate
    sizes = mixture.fastest_wavelength(mean) / 4 * np.maximum(times / decomposed, 1) ** (1 / 3)
    sizes *= 1 + 3 * np.exp(-times / decomposed * 4)
    share = saturated / (0.47 * (high - low))
    return {
        "time": times,
        "c_average": np.full(401, mean),
        "c_max": mean + share * (high - mean),
        "c_min": mean - share * (mean - low),
        "c_squared": mean**2 + saturated**2,
        "dt": np.concatenate([[0], np.diff(times)]),
        "interface_length": box / sizes,
        "num_features": np.full(401, 10.0),
        "num_features_low": np.full(401, 10.0),
        "total_c": np.full(401, mean * box) * (1 + 1e-12 * np.sin(times)),
        "total_energy": 1 - 0.5 * share - 0.1 * times / times[-1],
        "w_average": np.zeros(401),
        "w_squared": 1 / (1 + times / decomposed),
    }


@pytest.fixture
def grains(tmp_path):
    """A run of grain growth that nothing proves wrong."""
    # Wide boundaries: few cells, so that the Voronoi cells are counted quickly.
    mesh = {"xmax": 1600, "ymax": 1600, "nx": 240, "ny": 240}
    stated = {"num_grains": 300, "T": 600, "wGB": 28, "end_time": 1270, **mesh}
    return KnownRun(tmp_path, grain_growth.APPLICATION, stated, growing_grains)


@pytest.fixture
def mixture(tmp_path):
    """A run of spinodal decomposition of iron-chromium that nothing proves wrong, in a large box."""
    side = round(60 * spinodal_wavelength())
    stated = {"fe_mode": "FeCr", "xmax": side, "ymax": side, "end_time": 5e6}
    return KnownRun(tmp_path, spinodal.APPLICATION, stated, decomposing_mixture)


def spinodal_wavelength():
    """The fastest wavelength of iron-chromium in nm."""
    case = spinodal.APPLICATION.resolve(parameters.check(spinodal.APPLICATION, {"fe_mode": "FeCr"}))
    length = mixture_of(case).fastest_wavelength(0.4677)
    assert math.isclose(length, 3.38, abs_tol=0.01)
    return length
