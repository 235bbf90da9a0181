"""The checks that every run on MOOSE, or on the embedded solver, has to stand: N1 to N4 of the Skeptic."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from towline.errors import TowlineError
from towline.simulations.application import Case, CheckResult, RunFiles
from towline.simulations.judging import Question
from towline.simulations.moose.console import ConsoleLog
from towline.simulations.moose.run_record import RunRecord
from towline.simulations.moose.tree import Field, Section


@dataclass(frozen=True)
class RunThresholds:
    """Limits of N1 to N3."""

    #: Relative distance between the last time and the end time at which the end counts as reached.
    end_time_tolerance: float = 1e-6
    fewest_rows: int = 5
    #: Rejected steps per accepted one.
    rejected_warn: float = 0.2
    rejected_fail: float = 0.5


LIMITS = RunThresholds()
#: Numbers are the same to so many digits: what a writer rounds.
_SAME = 1e-9

N1 = Question(
    "N1",
    "The run reached its end",
    cause="the solver stopped before the end that the input declares",
    recovery="SOLVER_DIVERGENCE",
)
N2 = Question(
    "N2",
    "The table is whole: finite numbers, rising times",
    cause="the solution overflowed, or two runs wrote into one file",
    recovery="NAN_DETECTED",
)
N3 = Question(
    "N3",
    "Few time steps were rejected",
    cause="time steps too large for the nonlinear solver",
    recovery="SOLVER_DIVERGENCE",
)
N4 = Question("N4", "The input says what the plan says", cause="the input was changed, or written by another plan")

#: An intended value: types of the blocks, the parameter, and what it has to be.
Intent = tuple[tuple[str, ...], str, float | str]


@dataclass(frozen=True)
class Comparison:
    """Something that was computed from the input, and what the plan wants it to be."""

    what: str
    #: None: the input does not tell.
    found: float | None
    wanted: float


def run_checks(
    case: Case,
    files: RunFiles,
    record: RunRecord,
    intents: Sequence[Intent],
    comparisons: Sequence[Comparison] = (),
) -> list[CheckResult]:
    """Return N1 to N4."""
    return [
        reached_end(case, files, record),
        whole_table(record),
        few_rejections(record.console),
        says_the_plan(record, intents, comparisons),
    ]


def reached_end(case: Case, files: RunFiles, record: RunRecord) -> CheckResult:
    """N1: exit code 0, the last line of a log, and the declared end, by time, number of steps or Terminator."""
    console, table = record.console, record.table
    times = table.columns.get("time") if table is not None else None
    last = float(times[-1]) if times is not None and len(times) else math.nan
    numbers: dict[str, float] = {"last time": last}
    if files.exit_code is not None:
        numbers["exit code"] = files.exit_code
    if files.exit_code:
        said = f": {console.fatal.text.splitlines()[0].strip()}" if console and console.fatal else ""
        return N1.failed(f"the process ended with exit code {files.exit_code}{said}", numbers)
    if console is not None and console.fatal is not None:
        return N1.failed(f"the log tells in line {console.fatal.line}: {console.fatal.text.splitlines()[0]}", numbers)
    if console is None:
        return N1.undecided("there is no log that could tell how the run ended", numbers)
    if files.exit_code is None:
        return N1.undecided("nobody saw the process end: its exit code is unknown", numbers)
    if not console.finished:
        return N1.failed("the log does not end with 'Finished Executing'", numbers, cause="the run was interrupted")
    if math.isnan(last):
        return N1.undecided(f"the end cannot be compared: {record.troubles.get('table', 'no time')}", numbers)
    return _declared_end(case, console, last, numbers)


def _declared_end(case: Case, console: ConsoleLog, last: float, numbers: dict[str, float]) -> CheckResult:
    if case.values.get("time_mode") is not None and case["time_mode"] == "num_steps":
        wanted, made = case.number("num_steps"), console.accepted_steps
        numbers |= {"steps": made, "steps declared": wanted}
        if made >= wanted:
            return N1.passed(f"all {made} steps were made", numbers)
    else:
        wanted = case.number("end_time")
        numbers["end time"] = wanted
        if last >= wanted * (1 - LIMITS.end_time_tolerance):
            return N1.passed(f"the end time {wanted:g} was reached with exit code 0", numbers)
    if "use_terminator" in case.values and case["use_terminator"]:
        return N1.passed(f"the run was ended by its Terminator at time {last:g}", numbers)
    return N1.failed(
        f"the run ended without an error at time {last:g}, before its declared end ({wanted:g})",
        numbers,
        cause="another stop than the declared one: a steady state, or an input that was changed",
    )


def whole_table(record: RunRecord) -> CheckResult:
    """N2: at least five rows, finite numbers, strictly rising times, no broken last line."""
    table = record.table
    if table is None:
        return N2.undecided(record.troubles.get("table", "there is no table"))
    if "time" not in table.columns:
        return N2.failed(f"{table.path.name} has no column time", cause="the file is no table of postprocessors")
    times, rows = table.columns["time"], (0, max(0, len(table) - 1))
    numbers = {"rows": float(len(table))}
    for name, values in table.columns.items():
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            row = int(broken[0])
            return N2.failed(f"row {row} of the column {name} is {values[row]}", numbers, (row, row))
    falls = np.flatnonzero(np.diff(times) <= 0)
    if len(falls):
        row = int(falls[0])
        reason = f"time goes from {times[row]:g} to {times[row + 1]:g} between rows {row} and {row + 1}"
        return N2.failed(reason, numbers, (row, row + 1))
    if not table.complete:
        cause = "the run was interrupted while writing"
        return N2.failed("the last line of the table is cut off", numbers, rows, cause)
    if len(table) < LIMITS.fewest_rows:
        return N2.undecided(f"{len(table)} rows are fewer than {LIMITS.fewest_rows}", numbers, rows)
    return N2.passed(f"{len(table)} rows of {len(table.columns)} finite columns, time strictly rising", numbers, rows)


def few_rejections(console: ConsoleLog | None) -> CheckResult:
    """N3: a rejected step is repeated with a smaller one; many of them mean that the steps are wrong."""
    if console is None:
        return N3.undecided("there is no log")
    accepted, rejected = console.accepted_steps, console.rejected_steps
    numbers = {"accepted": float(accepted), "rejected": float(rejected)}
    if not accepted:
        return N3.undecided("the log shows no accepted step", numbers)
    share = rejected / accepted
    numbers["share"] = share
    reason = f"{rejected} of {accepted + rejected} tries were rejected"
    if share > LIMITS.rejected_fail:
        return N3.failed(f"{reason}, more than {LIMITS.rejected_fail:g} per accepted step", numbers)
    if share > LIMITS.rejected_warn:
        return N3.passed(f"{reason}: many, but fewer than {LIMITS.rejected_fail:g} per accepted step", numbers)
    return N3.passed(reason, numbers)


def says_the_plan(record: RunRecord, intents: Sequence[Intent], comparisons: Sequence[Comparison] = ()) -> CheckResult:
    """N4: the input that ran, read anew, holds the values of the plan; `intents` say where."""
    if record.tree is None:
        return N4.undecided(f"the input cannot be read: {record.troubles.get('input', '')}")
    differing, compared = [], 0
    for types, parameter, wanted in intents:
        found = find_fields(record.tree, types, parameter)
        if not found:
            differing.append(f"no {'/'.join(types)} has {parameter} (planned: {wanted})")
        for one in found:
            compared += 1
            if not _same(one, wanted):
                differing.append(f"{one.path} = {one.text}, planned: {wanted}")
    for pair in comparisons:
        compared += 1
        if pair.found is None or not math.isclose(pair.found, pair.wanted, rel_tol=_SAME, abs_tol=0):
            differing.append(f"{pair.what} is {pair.found}, planned: {pair.wanted}")
    numbers = {"compared": float(compared), "different": float(len(differing))}
    if differing:
        return N4.failed("; ".join(differing[:4]) + ("; …" if len(differing) > 4 else ""), numbers)
    if not compared:
        return N4.undecided("nothing of the plan could be compared with the input", numbers)
    return N4.passed(f"{compared} values of the input are exactly those of the plan", numbers)


def find_fields(tree: Section, types: Sequence[str], parameter: str) -> list[Field]:
    """Return the fields of a name in the active sections of some types, or, begun with ``/``, of some path."""
    found = []
    for section in tree.walk():
        if any(section.path == word[1:] if word.startswith("/") else section.type == word for word in types):
            one = section.own_field(parameter)
            if one is not None:
                found.append(one)
    return found


def _same(found: Field, wanted: float | str) -> bool:
    if isinstance(wanted, str):
        return " ".join(found.text.split()) == wanted
    try:
        if isinstance(wanted, bool):
            return found.as_bool() is wanted
        return math.isclose(found.as_float(), wanted, rel_tol=_SAME, abs_tol=0)
    except TowlineError:
        return False


def time_intents(case: Case) -> list[Intent]:
    """Where the time settings of a case stand, which both physics share."""
    declared = "num_steps" if case["time_mode"] == "num_steps" else "end_time"
    return [
        (("Transient",), declared, case.number(declared)),
        (("IterationAdaptiveDT",), "dt", case.number("dt_start")),
    ]


def mesh_intents(case: Case) -> list[Intent]:
    """Where the mesh of a case stands."""
    axes = "xyz"[: int(case.number("dim"))]
    kinds = ("GeneratedMesh", "GeneratedMeshGenerator")
    pairs: Mapping[str, float] = {name: case.number(name) for axis in axes for name in (f"n{axis}", f"{axis}max")} | {
        "dim": case.number("dim")
    }
    return [(kinds, name, value) for name, value in pairs.items()]
