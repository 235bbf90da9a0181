"""Equation of state of fcc copper: the demo of towline, `make demo`.

A real materials workflow without any external code. ASE's effective medium theory (EMT) gives the energies:

1. ``relax`` minimises the energy of the primitive fcc cell over its volume, by the stress;
2. ``scan`` is a dynamic job: it fans out to eleven cells around the relaxed one, each of them a job of its own,
   and a fit that waits for all of them (a jobflow ``Response(replace=...)``);
3. ``fit`` puts a third-order Birch-Murnaghan equation through energy and volume.

The flow goes through ``towline.submit_flow``, the queue, the runner and the SQL job store of a project that the demo
makes for itself in ``demo-results/home``. With ``--locally`` the same jobs run in this process by jobflow's own
``run_locally``, without towline.

What the results are checked against
------------------------------------
The documentation of ASE lists its own EMT results for bulk copper, in the tutorial "Using the ASE database" (the
output of ``ase db bulk.db -c +bm`` and of ``ase db bulk.db Cu -j``): 11.565 cubic angstrom per atom, which is a
lattice constant of (4 x 11.565)^(1/3) = 3.5898 angstrom; a bulk modulus of 0.83929 eV per cubic angstrom, which is
134.47 GPa; -0.007036 eV per atom (EMT counts from the bulk at its ideal spacing). That table was made by another
route than this demo: five points over 4 % of strain through a stabilised-jellium fit. The potential is that of
K. W. Jacobsen, P. Stoltze and J. K. Norskov, Surf. Sci. 366, 394 (1996).
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.eos import EquationOfState, birchmurnaghan
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.units import GPa
from jobflow import Flow, JobStore, Response, job, run_locally
from maggma.stores import MemoryStore

SYMBOL = "Cu"
STARTING_LATTICE_CONSTANT_ANGSTROM = 3.70
#: Volumes of the strained cells, relative to the relaxed one.
VOLUME_RATIOS = tuple(round(0.94 + 0.012 * step, 3) for step in range(11))
DEADLINE_SECONDS = 300.0
RESULTS = Path("demo-results")


@job
def relax(symbol: str, lattice_constant_angstrom: float) -> dict[str, float]:
    """Relax the primitive fcc cell: a uniform strain, until the stress is gone."""
    atoms = bulk(symbol, "fcc", a=lattice_constant_angstrom)
    atoms.calc = EMT()
    BFGS(FrechetCellFilter(atoms, hydrostatic_strain=True), logfile=None).run(fmax=1e-5)
    return {
        "volume_cubic_angstrom": float(atoms.get_volume()),
        "lattice_constant_angstrom": float((4 * atoms.get_volume()) ** (1 / 3)),
        "energy_ev": float(atoms.get_potential_energy()),
    }


@job
def scan(symbol: str, relaxed: Mapping[str, float], volume_ratios: Sequence[float]) -> Response:
    """One job per strained cell, and a fit of all of them, in place of this job."""
    cells = [
        strained_energy(symbol, relaxed["lattice_constant_angstrom"] * ratio ** (1 / 3)) for ratio in volume_ratios
    ]
    for cell, ratio in zip(cells, volume_ratios, strict=True):
        cell.name = f"energy at {ratio:.3f} V0"
    fitted = fit([cell.output for cell in cells])
    return Response(replace=Flow([*cells, fitted], output=fitted.output))


@job
def strained_energy(symbol: str, lattice_constant_angstrom: float) -> dict[str, float]:
    """Energy of the primitive fcc cell with this lattice constant."""
    atoms = bulk(symbol, "fcc", a=lattice_constant_angstrom)
    atoms.calc = EMT()
    return {
        "volume_cubic_angstrom": float(atoms.get_volume()),
        "energy_ev": float(atoms.get_potential_energy()),
    }


@job
def fit(points: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Birch-Murnaghan fit of energy over volume, per atom (the cells hold one)."""
    volumes = [point["volume_cubic_angstrom"] for point in points]
    energies = [point["energy_ev"] for point in points]
    equation = EquationOfState(volumes, energies, eos="birchmurnaghan")
    volume, energy, bulk_modulus = equation.fit()
    return {
        "lattice_constant_angstrom": float((4 * volume) ** (1 / 3)),
        "bulk_modulus_gigapascal": float(bulk_modulus / GPa),
        "energy_ev": float(energy),
        "volume_cubic_angstrom": float(volume),
        "birch_murnaghan_parameters": [float(parameter) for parameter in equation.eos_parameters],
        "volumes_cubic_angstrom": volumes,
        "energies_ev": energies,
    }


def build_flow() -> Flow:
    """The workflow: relax, then the scan that makes the rest."""
    relaxed = relax(SYMBOL, STARTING_LATTICE_CONSTANT_ANGSTROM)
    scanned = scan(SYMBOL, relaxed.output, VOLUME_RATIOS)
    return Flow([relaxed, scanned], name=f"equation of state of {SYMBOL}", output=scanned.output)


@dataclass(frozen=True)
class Check:
    """One number, what it should be, and how far it may be off."""

    quantity: str
    value: float
    expected: float
    tolerance: float
    unit: str
    source: str

    @property
    def passed(self) -> bool:
        """Whether the value is within the tolerance."""
        return abs(self.value - self.expected) <= self.tolerance

    def __str__(self) -> str:
        verdict = "PASS" if self.passed else "FAIL"
        return (
            f"{verdict}  {self.quantity:<18} {self.value:10.4f} {self.unit:<8}"
            f" {self.source} {self.expected:.4f} +- {self.tolerance:g} {self.unit}"
        )


def checks(relaxed: Mapping[str, float], fitted: Mapping[str, Any]) -> list[Check]:
    """Attempts to prove the result wrong; tolerances allow for the other fit, not for another potential.

    Nickel, the nearest of the metals in that table, is 0.10 angstrom and 43 GPa away.
    """
    published = "published for ASE's EMT:"
    constant = fitted["lattice_constant_angstrom"]
    return [
        Check("lattice constant", constant, 3.5898, 0.001, "angstrom", published),
        Check("bulk modulus", fitted["bulk_modulus_gigapascal"], 134.47, 1.0, "GPa", published),
        Check("energy per atom", 1000 * fitted["energy_ev"], -7.036, 0.05, "meV", published),
        # Two independent routes to the same minimum: stress gone, and the minimum of the fitted curve.
        Check("fit and relaxation", constant, relaxed["lattice_constant_angstrom"], 0.001, "angstrom", "relaxed cell:"),
    ]


def plot(fitted: Mapping[str, Any], path: Path) -> None:
    """Energies, fitted curve and its minimum, as a PNG file."""
    # Matplotlib is needed only here, and not by the jobs.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    volumes = np.asarray(fitted["volumes_cubic_angstrom"])
    curve = np.linspace(volumes.min(), volumes.max(), 200)
    figure = Figure(figsize=(7, 5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    energies = 1000 * birchmurnaghan(curve, *fitted["birch_murnaghan_parameters"])
    axes.plot(curve, energies, "-", color="tab:blue", label="Birch-Murnaghan fit")
    axes.plot(volumes, 1000 * np.asarray(fitted["energies_ev"]), "o", color="black", label="EMT, one job each")
    minimum = (fitted["volume_cubic_angstrom"], 1000 * fitted["energy_ev"])
    axes.plot(*minimum, "*", color="tab:red", markersize=14, label="minimum")
    axes.annotate(
        f"$a_0$ = {fitted['lattice_constant_angstrom']:.4f} Å\n$B$ = {fitted['bulk_modulus_gigapascal']:.1f} GPa",
        minimum,
        xytext=(0, 45),
        textcoords="offset points",
        ha="center",
    )
    axes.set_xlabel("Volume per atom (Å$^3$)")
    axes.set_ylabel("Energy per atom (meV)")
    axes.set_title(f"Equation of state of fcc {SYMBOL} (effective medium theory)")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def run_in_this_process(flow: Flow) -> tuple[Mapping[str, float], Mapping[str, Any]]:
    """Run with jobflow alone; outputs of the relaxation and of the fit."""
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, log=False, ensure_success=True)
    return outputs(flow, store)


def outputs(flow: Flow, store: JobStore) -> tuple[Mapping[str, float], Mapping[str, Any]]:
    """Outputs of the relaxation and of the fit, which stands in for the scan."""
    relaxed, scanned = flow.job_uuids
    with store:
        return store.get_output(relaxed, load=True), store.get_output(scanned, load=True)


def run_with_towline(flow: Flow, home: Path) -> tuple[Mapping[str, float], Mapping[str, Any]]:
    """Submit to a project of its own, start its runner, wait; outputs of the relaxation and of the fit."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    # Before the import of towline's settings, and inherited by the runner.
    os.environ["TOWLINE_HOME"] = str(home.resolve())
    from towline import get_jobstore, submit_flow

    started = time.monotonic()
    ids = submit_flow(flow)
    print(f"submitted {len(ids)} jobs to {home}/; the runner starts")
    tow("runner", "start")
    try:
        follow(ids)
    finally:
        tow("runner", "stop", "--wait")
    print(f"completed in {time.monotonic() - started:.1f} s")
    return outputs(flow, get_jobstore())


def tow(*arguments: str) -> None:
    """Run the `tow` that is installed beside the Python of this script."""
    subprocess.run([Path(sys.executable).with_name("tow"), *arguments], check=True, stdin=subprocess.DEVNULL)


def follow(ids: Sequence[str]) -> None:
    """Show how many jobs are in which state until all of them are COMPLETED.

    Raises
    ------
    SystemExit
        A job ended otherwise.
    """
    from towline import wait_flow

    waited = wait_flow(ids, timeout_seconds=DEADLINE_SECONDS, progress=show)
    if sys.stdout.isatty():
        print()
    if not waited:
        raise SystemExit("The flow did not complete; look with: tow job list")


def show(states: Mapping[Any, int]) -> None:
    """Show progress: in one place on a terminal, a line per change elsewhere."""
    line = "  ".join(f"{state.value} {count}" for state, count in sorted(states.items()))
    print(*(("\r\033[K", line) if sys.stdout.isatty() else (line, "\n")), sep="", end="", flush=True)


def main() -> int:
    """Run, plot, check; 0 when every check passed."""
    parser = argparse.ArgumentParser(description="Equation of state of fcc copper.")
    parser.add_argument("--locally", action="store_true", help="run with jobflow alone, in this process")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for plot and project (%(default)s)")
    arguments = parser.parse_args()
    flow = build_flow()
    if arguments.locally:
        relaxed, fitted = run_in_this_process(flow)
    else:
        relaxed, fitted = run_with_towline(flow, arguments.results / "home")
    picture = arguments.results / "equation_of_state.png"
    plot(fitted, picture)
    print(f"\nfcc {SYMBOL}, effective medium theory, {len(fitted['energies_ev'])} cells")
    verdicts = checks(relaxed, fitted)
    print(*verdicts, sep="\n")
    print(f"plot: {picture.resolve()}")
    passed = all(verdict.passed for verdict in verdicts)
    print("all checks passed" if passed else "a check FAILED")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
