"""How a figure is taken: sides alternating, medians, and a calibration that says whether the machine held still."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from benchmarks import floors
from benchmarks.side import run_side

#: The machine counts as disturbed when its speed before and after differ by more than this share.
STEADY_SHARE = 0.30


class Better(str, Enum):
    """Which way a figure should go."""

    HIGHER = "at least"
    LOWER = "at most"


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, against what, and whether it is good enough."""

    metric: str
    what: str
    unit: str
    #: Each repeat of towline's side.
    ours: Sequence[float]
    #: What the other side is; None for an absolute figure.
    against: str | None = None
    theirs: Sequence[float] = ()
    #: For the ratio ours / theirs, or for ours when there is no other side. None: reported only.
    target: float | None = None
    better: Better = Better.HIGHER

    @property
    def our_median(self) -> float:
        """Median of our side."""
        return statistics.median(self.ours)

    @property
    def their_median(self) -> float | None:
        """Median of the other side."""
        return statistics.median(self.theirs) if self.theirs else None

    @property
    def ratio(self) -> float | None:
        """Ratio of the medians."""
        theirs = self.their_median
        return None if theirs is None else self.our_median / theirs

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        judged = self.our_median if self.ratio is None else self.ratio
        return judged >= self.target if self.better is Better.HIGHER else judged <= self.target

    def as_dict(self) -> dict[str, object]:
        """Everything, for the JSON file."""
        return {
            "metric": self.metric,
            "what": self.what,
            "unit": self.unit,
            "ours": list(self.ours),
            "our_median": self.our_median,
            "against": self.against,
            "theirs": list(self.theirs),
            "their_median": self.their_median,
            "ratio": self.ratio,
            "target": self.target,
            "better": self.better.value,
            "met": self.met,
        }


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    repeats: int = 5
    #: Interpreter that has jobflow-remote; None uses the recorded figure.
    peer_python: str | None = None
    #: Jobs stored before the command line is measured.
    stored_jobs: int = 0
    #: Jobs in the full queue of metrics 6 to 10.
    large_queue: int = 1_000_000


@dataclass
class Sides:
    """Figures of each side, by name, in the order they were taken."""

    taken: dict[str, list[float]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> list[float]:
        return self.taken[name]


def alternate(repeats: int, sides: Mapping[str, Callable[[], float]]) -> Sides:
    """Take each side in turn, `repeats` times over, so that a slow minute of the machine hits all of them."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, take in sides.items():
            taken[name].append(take())
    return Sides(taken)


@dataclass(frozen=True)
class Calibration:
    """Speed of the machine itself."""

    loop_megaoperations_per_second: float
    spawns_per_second: float

    def steady(self, other: "Calibration") -> bool:
        """Whether the machine was as fast at the other time."""
        pairs = [
            (self.loop_megaoperations_per_second, other.loop_megaoperations_per_second),
            (self.spawns_per_second, other.spawns_per_second),
        ]
        return all(abs(before - after) <= STEADY_SHARE * max(before, after) for before, after in pairs)


def calibrate() -> Calibration:
    """Speed of a pure Python loop and of starting processes, as it is now."""
    loops = []
    for _ in range(3):
        started = time.perf_counter()
        total = 0
        for number in range(2_000_000):
            total += number
        loops.append(2.0 / (time.perf_counter() - started))
    return Calibration(statistics.median(loops), float(run_side("floors", "spawned_per_second", {"count": 600})))


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def python_pass_milliseconds() -> float:
    """Milliseconds of ``python -c pass`` in this environment."""
    return 1000 * floors.python_pass_seconds()
