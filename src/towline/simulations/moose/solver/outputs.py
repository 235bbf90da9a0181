"""The Outputs block: which files a run writes, where, when, and what is in them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.objects import Input
from towline.simulations.moose.solver.state import Moment, moments

_DEFAULT = "initial timestep_end"
#: How often a run saves itself that was not asked to, in seconds; MOOSE does so every hour.
_AUTOSAVE_SECONDS = 60.0
#: Relative tolerance within which a time is one that an output asks for: times are sums of steps.
_SAME_TIME = 1e-12


@dataclass(frozen=True)
class Schedule:
    """When an output is written."""

    moments: frozenset[Moment]
    #: Every n-th step.
    interval: int = 1
    start_time: float = -math.inf
    end_time: float = math.inf
    start_step: int = 0
    end_step: int | None = None
    #: Times at which it is written whatever the interval and the limits say, and whether at no others.
    sync_times: tuple[float, ...] = ()
    sync_only: bool = False
    #: Least time between two outputs.
    least_distance: float = 0.0

    def wants(self, moment: Moment, step: int, time: float, last_time: float = -math.inf) -> bool:
        """Return whether it is written now; ``last_time`` is when it was written last."""
        if moment is Moment.FINAL or moment not in self.moments:
            return moment in self.moments
        if any(math.isclose(time, one, rel_tol=_SAME_TIME, abs_tol=_SAME_TIME) for one in self.sync_times):
            wanted = True
        else:
            wanted = not self.sync_only and self._within(step, time) and step % self.interval == 0
        too_early = last_time < time and last_time + self.least_distance > time * (1 + _SAME_TIME)
        return wanted and not too_early

    def _within(self, step: int, time: float) -> bool:
        last_step = step if self.end_step is None else self.end_step
        return self.start_time <= time <= self.end_time and self.start_step <= step <= last_step


@dataclass
class Output:
    """One output: files of CSV or Exodus, or the table of the console."""

    kind: str
    name: str
    base: Path
    schedule: Schedule
    hidden: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    #: When it was written last.
    last_time: float = -math.inf

    def due(self, moment: Moment, step: int, time: float) -> bool:
        """Return whether it is to be written now; if so, now is when it was written last."""
        if not self.schedule.wants(moment, step, time, self.last_time):
            return False
        self.last_time = time
        return True

    def keeps(self, name: str, wanted_in: Iterable[str] = ()) -> bool:
        """Return whether a name belongs into it: by show and hide, and by the parameter ``outputs`` of its object."""
        chosen = tuple(wanted_in)
        if chosen and "all" not in chosen and self.name not in chosen:
            return False
        return name not in self.hidden and (not self.shown or name in self.shown)


@dataclass(frozen=True)
class ConsoleSettings:
    """What the console shows."""

    table: Output
    linear: bool = True
    nonlinear: bool = True
    rows: int = 15


@dataclass(frozen=True)
class CheckpointSettings:
    """Where and how often a run saves what it needs to go on; names and defaults as in MOOSE."""

    folder: Path
    #: Steps that the input wants to be saved; None: only the time that has passed counts.
    schedule: Schedule | None
    num_files: int = 2
    #: Seconds of the clock.
    wall_time_interval: float = _AUTOSAVE_SECONDS
    #: Whether steps are left out so that saving takes no more than a hundredth of the time.
    thrifty: bool = True


def read_checkpoints(source: Input, base: Path) -> list[CheckpointSettings]:
    """Return the checkpoints of the Outputs block; one that nobody asked for, where it has none."""
    automatic = CheckpointSettings(Path(f"{base}_out_cp"), None)
    outer = source.block("Outputs")
    if outer is None:
        return [automatic]
    by_time = outer.flag("wall_time_checkpoint", default=True)
    found = []
    if outer.flag("checkpoint", default=False):
        one = _output("checkpoint", "checkpoint", outer, outer, Path(f"{base}_out"), "timestep_end")
        interval = _AUTOSAVE_SECONDS if by_time else math.inf
        found.append(CheckpointSettings(_beside(one.base, "cp"), one.schedule, wall_time_interval=interval))
    for block in outer.children:
        if block.type.lower() == "checkpoint":
            found += _checkpoint_block(block, outer, base)
    if found or not by_time:
        return found
    return [replace(automatic, folder=_beside(_base_of(Path(f"{base}_out"), outer), "cp"))]


def _checkpoint_block(block: Block, outer: Block, base: Path) -> list[CheckpointSettings]:
    one = _output("checkpoint", block.name, block, outer, Path(f"{base}_{block.name}"), "timestep_end")
    folder = _beside(one.base, block.text("suffix", default="cp"))
    interval = block.number("wall_time_interval", default=3600.0)
    if not block.flag("wall_time_checkpoint", default=True):
        interval = math.inf
    settings = CheckpointSettings(folder, one.schedule, block.integer("num_files", default=2), interval, thrifty=False)
    return [settings] if block.flag("enable", default=True) else []


def _beside(base: Path, suffix: str) -> Path:
    return base.with_name(f"{base.name}_{suffix}")


def _base_of(default: Path, *places: Block) -> Path:
    """Return what the names of an output begin with; later places win."""
    base = default
    for place in places:
        if place.has("file_base"):
            base = default.parent / place.text("file_base")
    return base


def read_outputs(source: Input, base: Path) -> list[Output]:
    """Return the outputs of files: the short forms csv and exodus, and the sections."""
    outer = source.block("Outputs")
    if outer is None:
        return []
    found = []
    for kind in ("csv", "exodus"):
        if outer.flag(kind, default=False):
            found.append(_output(kind, kind, outer, outer, Path(f"{base}_out")))
    for block in outer.children:
        if block.type.lower() in ("csv", "exodus"):
            one = _output(block.type.lower(), block.name, block, outer, Path(f"{base}_{block.name}"))
            if block.flag("enable", default=True):
                found.append(one)
    return found


def read_console(source: Input, base: Path) -> ConsoleSettings:
    """Return what the console shows; without a section of its own that is everything."""
    outer = source.block("Outputs")
    everything = Schedule(frozenset({Moment.INITIAL, Moment.TIMESTEP_END}))
    if outer is None:
        return ConsoleSettings(Output("console", "console", base, everything))
    # What stands in [Outputs] is for all outputs, and is read even if there are none.
    common = _output("console", "console", outer, outer, base)
    block = next((child for child in outer.children if child.type == "Console"), None)
    if block is None:
        table = Output("console", "console", base, everything, common.hidden, common.shown)
        return ConsoleSettings(table, _flag("print_linear_residuals", outer), _flag("print_nonlinear_residuals", outer))
    rows = block.integer("max_rows", default=15)
    table = _output("console", block.name, block, outer, base)
    if not block.flag("enable", default=True):
        table.schedule = Schedule(frozenset())
    return ConsoleSettings(
        table,
        _flag("print_linear_residuals", block, outer),
        _flag("print_nonlinear_residuals", block, outer),
        rows,
    )


def sync_times(source: Input) -> tuple[float, ...]:
    """Return the times that outputs ask the steps to hit."""
    outer = source.block("Outputs")
    blocks = () if outer is None else (outer, *outer.children)
    return tuple(sorted({time for block in blocks for time in block.numbers("sync_times", default=())}))


def _flag(name: str, *places: Block) -> bool:
    """Return a switch that is on unless one of the places turns it off."""
    answers = [place.flag(name, default=True) for place in places]  # all of them, so that each counts as read
    return all(answers)


def _output(kind: str, name: str, block: Block, outer: Block, default: Path, execute_on: str = _DEFAULT) -> Output:
    base = default if kind == "console" else _base_of(default, outer, block)
    hidden, shown = (
        frozenset(block.words(parameter, default=outer.words(parameter, default=()))) for parameter in ("hide", "show")
    )
    return Output(kind, name, base, _schedule(block, outer, execute_on), hidden, shown)


def _schedule(block: Block, outer: Block, execute_on: str) -> Schedule:
    """Read the times of an output; what it does not say itself, the block around it may say for all."""
    when = block if block.has("execute_on") else outer
    words = moments(when, execute_on)
    if block.has("additional_execute_on"):
        words |= moments(block, "none", "additional_execute_on")

    def number(name: str, default: float) -> float:
        return block.number(name, default=outer.number(name, default=default))

    end_step = number("end_step", math.inf)
    return Schedule(
        words,
        int(number("time_step_interval", 1)),
        number("start_time", -math.inf),
        number("end_time", math.inf),
        int(number("start_step", 0)),
        None if math.isinf(end_step) else int(end_step),
        block.numbers("sync_times", default=outer.numbers("sync_times", default=())),
        block.flag("sync_only", default=outer.flag("sync_only", default=False)),
        number("min_simulation_time_interval", 0.0),
    )
