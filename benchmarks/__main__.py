"""``python -m benchmarks``: take the figures, print the table, write them down."""

import argparse
import importlib
import os
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from benchmarks import report
from benchmarks.engine import SCRATCH_VARIABLE
from benchmarks.measurement import Figure, Options, calibrate, machine
from benchmarks.side import SideFailed

HERE = Path(__file__).parent
METRICS = {
    "1": "m01_functions",
    "2": "m02_commands",
    "3": "m03_isolated",
    "4": "m04_chain",
    "4s": "m04_single",
    "6": "m06_submission",
    "7": "m07_queries",
    "8": "m08_claims",
    "9": "m09_command_line",
    "10": "m10_idle",
    "12": "m12_crash",
    "r1": "r01_fetching",
    "r3": "r03_ssh_jobs",
    "r4": "r04_slurm_jobs",
    "r5": "r05_batch",
    "r6": "r06_faults",
}
#: Takes about an hour: only by name.
LONG = "r6"


def main() -> int:
    """Run the chosen metrics; 0 when all could be taken, met or not."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure towline against floors and peers."
    )
    parser.add_argument("metrics", nargs="*", metavar="METRIC", help=f"which of {', '.join(METRICS)} (all but {LONG})")
    parser.add_argument("--repeats", type=int, default=5, help="times each side is taken (%(default)s)")
    parser.add_argument("--peer-python", help="interpreter with jobflow-remote; its recorded figure is used otherwise")
    parser.add_argument("--stored-jobs", type=int, default=1000, help="jobs in the queue for metric 9 (%(default)s)")
    parser.add_argument("--record", action="store_true", help="write benchmarks/RESULTS.md too")
    parser.add_argument("--quick", action="store_true", help="a tenth of the jobs in the full queue of metrics 6 to 10")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.metrics) - set(METRICS))
    if unknown:
        parser.error(f"no metric {', '.join(unknown)}; there are {', '.join(METRICS)}")
    large_queue = 100_000 if arguments.quick else 1_000_000
    options = Options(arguments.repeats, arguments.peer_python, arguments.stored_jobs, large_queue)

    taken_at, about = datetime.now(), machine()
    calibrations = [calibrate()]
    figures: list[Figure] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="towline-benchmarks-") as scratch:
        os.environ[SCRATCH_VARIABLE] = scratch
        for name in arguments.metrics or [name for name in METRICS if name != LONG]:
            print(f"metric {name} ...", file=sys.stderr, flush=True)
            try:
                figures += importlib.import_module(f"benchmarks.{METRICS[name]}").measure(options)
            except SideFailed as error:
                failed.append(name)
                print(f"metric {name} could not be taken: {error}", file=sys.stderr)
    calibrations.append(calibrate())

    print(report.table(figures))
    if not calibrations[0].steady(calibrations[-1]):
        print("The machine did not hold still: its speed before and after differs by more than 30 %. Repeat.")
    print(report.write_json(report.document(figures, about, calibrations, taken_at), HERE / "results"))
    if arguments.record:
        path = HERE / "RESULTS.md"
        report.write_results(figures, about, calibrations, taken_at, options.repeats, path)
        print(path)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
