"""Metric r6: faults of everything between a runner and its jobs, each many times, with real servers and processes.

``python -m benchmarks.r06_faults --times 50 --scheduler slurm --fault 'node set down'`` makes one of them.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measurement import Better, Figure, Options
from towline.testing.fault_site import Losses, fault_site, total
from towline.testing.faults import FAULTS, Outcome, make

TIMES = 50
#: No fault is made any more after so many seconds.
_LONGEST_SECONDS = 3600.0

HEADINGS = (
    "worker",
    "fault",
    "times",
    "jobs",
    "lost",
    "run twice",
    "wrongly failed",
    "needing a hand",
    "median",
    "worst",
)


@dataclass
class Row:
    """What all faults of one kind did."""

    scheduler: str
    fault: str
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def losses(self) -> Losses:
        """All of them together."""
        return total([outcome.losses for outcome in self.outcomes])

    @property
    def seconds(self) -> list[float]:
        """Seconds from the mending of each fault to the next news of a job."""
        return [outcome.seconds for outcome in self.outcomes]

    def cells(self) -> tuple[str, ...]:
        """Its line of the table."""
        losses = self.losses
        counts = (losses.jobs, losses.lost, losses.run_twice, losses.wrongly_failed, losses.needing_a_hand)
        seconds = self.seconds or [0.0]
        times = (f"{statistics.median(seconds):.2f} s", f"{max(seconds):.1f} s")
        return (self.scheduler, self.fault, str(len(self.outcomes)), *map(str, counts), *times)


def storm(
    scheduler: str, faults: Sequence[str], times: int, tell: Callable[[str], object] = lambda text: None
) -> list[Row]:
    """Make each of the faults so many times on one site."""
    rows = [Row(scheduler, fault) for fault in faults]
    deadline = time.monotonic() + _LONGEST_SECONDS
    place = tempfile.TemporaryDirectory(prefix="towline-faults-")
    with place as folder, fault_site(scheduler, Path(folder, "home")) as site:
        site.start_runner()
        for row in rows:
            while len(row.outcomes) < times and time.monotonic() < deadline:
                outcome = make(site, row.fault)
                row.outcomes.append(outcome)
                if outcome.explanation:
                    tell(f"{row.fault}, time {len(row.outcomes)}: {outcome.losses}\n{outcome.explanation}")
            tell(" | ".join(row.cells()))
        site.stop_runner()
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def measure(options: Options) -> list[Figure]:
    """Figures of this metric: what all faults did together. The table of all of them goes to standard error."""
    rows = [row for scheduler, faults in FAULTS.items() for row in storm(scheduler, list(faults), TIMES, _tell)]
    _tell(table(rows))
    losses = total([row.losses for row in rows])
    what = f"{sum(len(row.outcomes) for row in rows):,} faults of {len(rows)} kinds, {losses.jobs:,} jobs"
    counts = {
        "lost": losses.lost,
        "run twice": losses.run_twice,
        "wrongly failed": losses.wrongly_failed,
        "needing a hand": losses.needing_a_hand,
    }
    lower = Better.LOWER
    figures = [
        Figure("r6", f"{what}: {name}", "jobs", [count], target=0, better=lower) for name, count in counts.items()
    ]
    seconds = [value for row in rows for value in row.seconds]
    return [*figures, Figure("r6", "from the end of a fault to the next news of a job", "s", seconds)]


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Make the chosen faults; 0 when none did any harm."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.r06_faults", description="Make faults and count losses."
    )
    parser.add_argument("--times", type=int, default=TIMES, help="how often each is made (%(default)s)")
    parser.add_argument("--scheduler", choices=sorted(FAULTS), action="append", help="of the worker (all)")
    parser.add_argument("--fault", action="append", help="names, or parts of names (all)")
    arguments = parser.parse_args()
    rows = []
    for scheduler in arguments.scheduler or FAULTS:
        wanted = arguments.fault or [""]
        faults = [name for name in FAULTS[scheduler] if any(part in name for part in wanted)]
        if faults:
            rows += storm(scheduler, faults, arguments.times, _tell)
    print(table(rows))
    print(json.dumps({f"{row.scheduler}: {row.fault}": row.seconds for row in rows}), file=sys.stderr)
    return 0 if rows and total([row.losses for row in rows]).none else 1


if __name__ == "__main__":
    sys.exit(main())
