"""Metric 9: how long a command takes to answer."""

import functools
import sys
from collections.abc import Callable

from benchmarks.engine import TOW, engine
from benchmarks.floors import command_seconds
from benchmarks.full_queue import filled
from benchmarks.measurement import Better, Figure, Options, alternate, python_pass_milliseconds
from benchmarks.peer_run_locally import independent
from benchmarks.side import run_side

STARTS = 20


def ours(stored_jobs: int) -> dict[str, list[float]]:
    """Milliseconds of each start, alternating with ``python -c pass``, in a project with that many stored jobs."""
    with engine(started=False):
        from towline import submit_flow

        for _ in range(max(1, stored_jobs // 1000)):
            submit_flow(independent(min(1000, stored_jobs)))
        return alternate(
            STARTS,
            {
                "pass": python_pass_milliseconds,
                "help": lambda: 1000 * command_seconds([TOW, "--help"]),
                "list": lambda: 1000 * command_seconds([TOW, "job", "list", "-m", "20"]),
                "import": lambda: 1000 * command_seconds([sys.executable, "-c", "import towline"]),
            },
        ).taken


def with_full_queue(where: str) -> dict[str, list[float]]:
    """Milliseconds of commands with a full queue, alternating with ``python -c pass``."""
    commands = {
        "list": ["job", "list", "-m", "20"],
        "list 100": ["job", "list"],
        "list of a state": ["job", "list", "-s", "FAILED", "-m", "20"],
        "info": ["job", "info", "777"],
        "flows": ["flow", "list", "-m", "20"],
        "report": ["job", "report"],
    }
    with engine(started=False) as home:
        # The file itself stays where it is, for others; SQLite follows the link.
        (home / "default").mkdir()
        (home / "default" / "queue.db").symlink_to(where)
        sides: dict[str, Callable[[], float]] = {
            name: functools.partial(_milliseconds, [TOW, *arguments]) for name, arguments in commands.items()
        }
        return alternate(STARTS, {"pass": python_pass_milliseconds, **sides}).taken


def with_project_file() -> dict[str, list[float]]:
    """The same of a list in a project that has a file."""
    with engine(started=False, project="workers: {local: {type: local}}\n"):
        return alternate(
            STARTS, {"pass": python_pass_milliseconds, "list": lambda: _milliseconds([TOW, "job", "list"])}
        ).taken


def _milliseconds(command: list[str]) -> float:
    return 1000 * command_seconds(command)


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    return [*_small(options), *_large(options)]


def _large(options: Options) -> list[Figure]:
    taken = run_side("m09_command_line", "with_full_queue", {"where": filled("sqlite", options.large_queue)})
    own = run_side("m09_command_line", "with_project_file")
    lower, floor, stored = Better.LOWER, "python -c pass", f"{options.large_queue:,} stored"
    return [
        Figure("9", f"tow job list -m 20, {stored}", "ms", taken["list"], floor, taken["pass"], 25, lower),
        Figure("9", f"tow job list (100 rows), {stored}", "ms", taken["list 100"], floor, taken["pass"], 25, lower),
        Figure(
            "9",
            f"tow job list -s FAILED -m 20, {stored}",
            "ms",
            taken["list of a state"],
            floor,
            taken["pass"],
            25,
            lower,
        ),
        Figure("9", f"tow job info, {stored}", "ms", taken["info"], floor, taken["pass"], 30, lower),
        Figure("9", f"tow flow list -m 20, {stored}", "ms", taken["flows"], floor, taken["pass"], 30, lower),
        Figure("9", f"tow job report, {stored}", "ms", taken["report"], floor, taken["pass"], 30, lower),
        Figure("9", "tow job list, project with a file", "ms", own["list"], floor, own["pass"], 25, lower),
    ]


def _small(options: Options) -> list[Figure]:
    stored = options.stored_jobs
    taken = run_side("m09_command_line", "ours", {"stored_jobs": stored})
    lower, floor = Better.LOWER, "python -c pass"
    return [
        Figure("9", "tow --help", "ms", taken["help"], floor, taken["pass"], 12, lower),
        Figure("9", f"tow job list -m 20, {stored:,} stored", "ms", taken["list"], floor, taken["pass"], 25, lower),
        Figure("9", "import towline", "ms", taken["import"], floor, taken["pass"], 5, lower),
    ]
