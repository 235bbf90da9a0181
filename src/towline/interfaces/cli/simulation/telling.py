"""How plans, progress and verdicts of simulations are shown."""

from typing import TYPE_CHECKING, Any

import click

from towline.interfaces.cli.display import duration, say, size, write_out
from towline.interfaces.cli.progress import Line, counted
from towline.interfaces.cli.tables import Column, print_table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from towline.operations.simulation_following import Watched
    from towline.operations.simulation_planning import Planned
    from towline.operations.simulation_records import Outcome
    from towline.simulations.application import Case

#: Exit codes for verdicts; 3 is that of a run that failed, as everywhere.
FAILED, FALSIFIED, INCONCLUSIVE = 3, 4, 5


def value_text(value: object) -> str:
    """A value of a parameter."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def print_case(case: "Case", *, all_values: bool = False, without: "Collection[str]" = ()) -> None:
    """The values of a case with unit and origin; defaults only when asked for."""
    shown = [(name, one) for name, one in case.values.items() if name not in without]
    rows = [(name, one) for name, one in shown if all_values or one.origin.value != "default" or one.note]
    print_table(
        [
            Column("Parameter", lambda row: row[0]),
            Column("Value", lambda row: value_text(row[1].value), right=True),
            Column("Unit", lambda row: row[1].unit),
            Column("Origin", lambda row: row[1].origin.value),
            Column("Note", lambda row: row[1].note),
        ],
        rows,
    )


def print_findings(planned: "Planned") -> None:
    """What the preflight found."""
    from towline.operations.simulation_planning import finding_text

    for one in planned.findings:
        say(finding_text(one))


def print_cost(members: "Sequence[Planned]") -> None:
    """What a simulation will take, or all of several together, and what that rests on."""
    costs = [one.cost for one in members]
    seconds, disk = (sum(getattr(one, name) for one in costs) for name in ("processor_seconds", "disk_bytes"))
    memory = size(round(max(one.memory_bytes for one in costs)))
    each, all_ = ("", f" ({costs[0].work})") if len(costs) == 1 else (" each", f" for {len(costs)} simulations")
    say(f"cost: about {about(seconds)} of one processor, {memory} of memory{each}, {size(round(disk))} of disk{all_}")
    say(f"      It rests on {costs[0].rests_on}.")


def about(seconds: float) -> str:
    """A duration that is an estimate."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.2g} {name}" if seconds < 10 * unit else f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:,.0f} days"


class Progress:
    """One line of the terminal that is written again and again; elsewhere a line for each tenth of the way.

    While nothing runs it says what is waited for.
    """

    def __init__(self) -> None:
        self._line = Line()
        self._told = ""

    def show(self, watched: "Watched") -> None:
        """Show how far it is."""
        steps = [one for one in watched.steps if one.share is not None]
        text = counted(watched.states)
        if len(steps) == 1:
            share = steps[0].share or 0.0
            text += f"   step {steps[0].number}, {100 * share:.0f} % of the time"
        elif steps:
            text += "   runs at " + ", ".join(f"{100 * (one.share or 0):.0f} %" for one in steps[:8])
        elif watched.waits:
            text += f"   waits for {'; '.join(watched.waits)}"
        if self._line.active:
            self._line.show(text)
            return
        # For logs: what changed by a tenth.
        tenths = f"{counted(watched.states)} {[int(10 * (one.share or 0)) for one in steps]} {watched.waits}"
        if tenths != self._told:
            self._told = tenths
            say(text)

    def end(self) -> None:
        """Clear the line."""
        self._line.end()


def print_outcome(outcome: "Outcome") -> None:
    """The verdict with its checks, the results, and where everything is."""
    from towline.operations.simulation_attempts import attempts_of

    record = outcome.record
    for attempt in attempts_of(outcome.attempts[:-1]):
        write_out(f"attempt {attempt.number}: {attempt.folder}\n")
        if attempt.diagnosis:
            write_out(f"  {attempt.diagnosis}\n")
        if attempt.correction:
            write_out(f"  then {attempt.correction}\n")
    if record.get("correction") or record.get("parent"):
        write_out(f"the attempt that counts: {record.get('attempt')}\n")
    _print_solver(outcome)
    if record.get("problem"):
        write_out(f"problem: {record['problem']}\n")
    if record.get("review"):
        write_out(f"review: {record['review']['sentence']}\n  {record['review']['advice']}\n")
        for name, value in (record["review"].get("proposals") or {}).items():
            write_out(f"  it may help, but changes what is simulated: --set {name}={value_text(value)}\n")
    print_checks(record)
    for name, one in outcome.metrics.items():
        error = "" if one.get("uncertainty") is None else f" ± {one['uncertainty']:.2g}"
        doubt = "" if one.get("valid", True) else f"  (not valid: {one['note'].removeprefix('not valid: ')})"
        write_out(f"  {name} = {one['value']:.6g}{error} {one['unit']}".rstrip() + doubt + "\n")
    write_out(f"verdict: {outcome.sentence}\n")
    print_paths(outcome)


def _print_solver(outcome: "Outcome") -> None:
    record = outcome.record
    if record.get("solver"):
        write_out(f"solver: {record['solver']}{_timing(record)}\n")
    for one in outcome.continuations:
        write_out(f"{one}\n")


def print_checks(record: "Any") -> None:
    """The checks of a verdict as a table."""
    checks = (record.get("verdict") or {}).get("checks") or []
    if not checks:
        return
    print_table(
        [
            Column("Check", lambda one: one["check"]),
            Column("Outcome", lambda one: one["outcome"] + ("" if one["mandatory"] else " (not mandatory)")),
            Column("Title", lambda one: one["title"]),
            Column("Reason", lambda one: one["reason"]),
        ],
        checks,
    )


def print_paths(outcome: "Outcome") -> None:
    """Where everything is."""
    for figure in outcome.figures:
        write_out(f"figure: {figure}\n")
    if outcome.report is not None:
        write_out(f"report: {outcome.report}\n")
    write_out(f"run directory: {outcome.folder}\n")


def outcome_document(outcome: "Outcome") -> dict[str, Any]:
    """An outcome for programs."""
    record = outcome.record
    return {
        "run_id": record.get("run_id") or record.get("sweep_id"),
        "run_dir": str(outcome.folder),
        "status": outcome.status,
        "verdict": outcome.verdict,
        "sentence": outcome.sentence,
        "credible": outcome.credible,
        "falsified_by": (record.get("verdict") or {}).get("falsified_by", []),
        "checks": (record.get("verdict") or {}).get("checks", []),
        "metrics": outcome.metrics,
        "review": record.get("review"),
        "solver": record.get("solver"),
        "exit_code": record.get("exit_code"),
        "duration_s": record.get("duration_s"),
        "attempts": [str(path) for path in outcome.attempts],
        "continued": record.get("continued", []),
        "figures": [str(path) for path in outcome.figures],
        "report": None if outcome.report is None else str(outcome.report),
    }


def exit_with(outcome: "Outcome") -> None:
    """End with the exit code of a verdict.

    Raises
    ------
    click.exceptions.Exit
        The verdict is not CREDIBLE.
    """
    codes = {"CREDIBLE": 0, "FALSIFIED": FALSIFIED, "INCONCLUSIVE": INCONCLUSIVE}
    code = FAILED if outcome.status != "done" else codes.get(outcome.verdict or "", FAILED)
    if code:
        raise click.exceptions.Exit(code)


def _timing(record: "Any") -> str:
    seconds = record.get("duration_s")
    return f", {record.get('accepted_steps', 0)} steps in {duration(seconds)}" if seconds is not None else ""
