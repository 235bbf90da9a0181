"""A mixture decomposes: the demo of towline, `make demo`.

One simulation through the whole pipeline: parameters are planned and checked, the input of MOOSE is written, a flow
goes through the queue of a project that the demo makes for itself, the solver that is part of towline runs the input (a
real MOOSE does, where the variable MOOSE_EXEC names one), and checks try to prove the result wrong: mass, energy, the
rate at which waves grow, the compositions and shares of the phases. It takes about half a minute, and needs nothing but
Python.

The model is the Cahn-Hilliard equation with the double well f = W c² (1 − c)². What the checks compare with follows
from it without solving anything (J. W. Cahn, Acta Metall. 9, 795 (1961)): waves of the length 2π/√(−f″/2κ) grow
fastest, at the rate M f″²/4κ, until there are two phases of the compositions 0 and 1.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path("demo-results")
#: 7 wavelengths: enough to see, and quick.
PARAMETERS = {"c0": 0.5, "xmax": 45, "end_time": 210}


def main() -> int:
    """Simulate, tell the verdict, name the pictures; 0 when nothing could be proved wrong."""
    parser = argparse.ArgumentParser(description="Spinodal decomposition, from parameters to a verdict.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for runs and project (%(default)s)")
    results = parser.parse_args().results.resolve()
    shutil.rmtree(results / "home", ignore_errors=True)
    # Before the import of towline's settings, and inherited by the runner.
    os.environ["TOWLINE_HOME"] = str(results / "home")
    os.environ["RUNS_DIR"] = str(results / "runs")
    from towline import simulate

    print(f"spinodal decomposition with {PARAMETERS}")
    started = time.monotonic()
    outcome = simulate("spinodal", PARAMETERS, backend_name="demo", progress=show)
    if outcome.status != "done":
        print(f"the run failed: {outcome.sentence}; {outcome.record.get('problem')}", file=sys.stderr)
        return 1
    steps = f"{outcome.record['accepted_steps']} steps"
    print(f"solver: {outcome.record['solver']}, {steps}; {time.monotonic() - started:.0f} s in all")
    for check in outcome.record["verdict"]["checks"]:
        print(f"{check['outcome']:<12}  {check['check']:<3} {check['title']}: {check['reason']}")
    for figure in outcome.figures:
        print(f"figure: {figure}")
    print(f"report: {outcome.report}")
    print(f"verdict: {outcome.sentence}")
    return 0 if outcome.credible else 1


def show(states: Mapping[Any, int]) -> None:
    """Show how many jobs are in which state."""
    print(*(f"{state.value} {count}" for state, count in states.items()), sep="  ", flush=True)


if __name__ == "__main__":
    sys.exit(main())
