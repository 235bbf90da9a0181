"""Reports of runs and sweeps: one HTML file each that needs nothing else, neither other files nor a network."""

from towline.simulations.reports.run_report import run_report
from towline.simulations.reports.sweep_report import sweep_report

__all__ = ["run_report", "sweep_report"]
