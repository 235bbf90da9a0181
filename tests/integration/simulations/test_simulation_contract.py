"""The applications of towline keep the contract of applications."""

from towline.simulations.registry import find
from towline.testing.simulation_contract import SimulationContract


class TestGrainGrowth(SimulationContract):
    application = find("grain_growth")
    small_case = {"num_grains": 6, "nx": 48, "ny": 48, "wGB": 20, "num_steps": 4, "op_num": 6}
    two_values = {"T": (600.0, 700.0)}


class TestSpinodal(SimulationContract):
    application = find("spinodal")
    small_case = {"c0": 0.5, "xmax": 20, "nx": 32, "end_time": 20, "growth_steps": 12}
    two_values = {"kappa": (0.4, 0.5)}
