"""Running several simulations side by side, and telling what they say together."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from towline.interfaces.cli.display import plural, print_json, say, size, write_out
from towline.interfaces.cli.session import project_of
from towline.interfaces.cli.simulation.options import PlaceOptions, RunOptions, configuration_from
from towline.interfaces.cli.simulation.telling import (
    Progress,
    about,
    exit_with,
    outcome_document,
    print_case,
    print_checks,
    print_cost,
    print_findings,
    print_paths,
    value_text,
)
from towline.interfaces.cli.tables import Column, print_table

if TYPE_CHECKING:
    from towline.operations.simulation_planning import Planned
    from towline.operations.simulation_records import Outcome
    from towline.operations.simulation_requests import CaseFile
    from towline.operations.simulation_sweeps import SubmittedSweep
    from towline.simulations.application import Case


def run_sweep(
    context: click.Context, asked: "CaseFile", place: PlaceOptions, run: RunOptions, *, as_json: bool
) -> None:
    """Plan and run every combination of the values of a sweep."""
    from towline.operations.simulation_planning import sweep_cases

    members = sweep_cases(
        asked.physics or "grain_growth", asked.params, asked.sweep, seeds=asked.seeds, preset=asked.preset
    )
    told: dict[str, Any] = {
        "params": dict(asked.params),
        "sweep": {name: list(values) for name, values in asked.sweep.items()},
    }
    told |= {"seeds": asked.seeds, "preset": asked.preset}
    run_members(context, members, told, place, run, as_json=as_json)


def run_members(
    context: click.Context,
    members: "Sequence[Planned]",
    asked: Mapping[str, Any],
    place: PlaceOptions,
    run: RunOptions,
    *,
    as_json: bool,
    sentence: Mapping[str, Any] | None = None,
) -> None:
    """Run planned cases: one as it is, several as a sweep."""
    from towline.interfaces.cli.simulate import wait_and_tell
    from towline.operations.simulation_sweeps import submit_sweep
    from towline.operations.simulations import submit_simulation

    show_members(members, run, as_json=as_json)
    if run.dry_run:
        return
    config = configuration_from(place)
    common: dict[str, Any] = {
        "config": config,
        "project": project_of(context),
        "backend_name": run.backend_name,
        "force": run.force,
        "attempts": run.attempts,
        "sentence": sentence,
    }
    if len(members) == 1:
        wait_and_tell(context, submit_simulation(members[0], **common), run, as_json=as_json)
        return
    name = str(members[0].case["run_name"])
    submitted = submit_sweep(members, name=name, asked=asked, **common)
    wait_and_tell_sweep(context, submitted, run, as_json=as_json)


def show_members(members: "Sequence[Planned]", run: RunOptions, *, as_json: bool) -> None:
    """Show what the members of a sweep have in common and in what they differ, and what the preflight found.

    A dry run ends with exit code 1 when it found errors.
    """
    from towline.operations.simulation_planning import plan_document

    if as_json and run.dry_run:
        print_json([plan_document(one) for one in members])
    elif not as_json:
        if len(members) == 1:
            print_case(members[0].case)
        else:
            _print_members(members)
    for planned in members:
        print_findings(planned)
    print_cost(members)
    if run.dry_run:
        say(f"dry run: nothing was run; it would be {plural(len(members), 'simulation')}")
        if any(planned.errors for planned in members):
            raise click.exceptions.Exit(1)


def _print_members(members: "Sequence[Planned]") -> None:
    cases = [one.case for one in members]
    differing = [
        name
        for name in cases[0].values
        if len({case.values[name].value if name in case.values else None for case in cases}) > 1
    ]
    print_case(cases[0], without=differing)
    columns = [Column(name, _value_of(name), right=True) for name in differing]
    costs = {id(one.case): one.cost for one in members}
    columns += [
        Column("Time", lambda case: about(costs[id(case)].processor_seconds), right=True),
        Column("Memory", lambda case: size(round(costs[id(case)].memory_bytes)), right=True),
        Column("Disk", lambda case: size(round(costs[id(case)].disk_bytes)), right=True),
    ]
    print_table(columns, cases, f"{plural(len(cases), 'simulation')} of {cases[0].physics}")


def _value_of(name: str) -> "Callable[[Case], str]":
    return lambda case: value_text(case.values[name].value) if name in case.values else ""


def wait_and_tell_sweep(context: click.Context, submitted: "SubmittedSweep", run: RunOptions, *, as_json: bool) -> None:
    """Wait for a sweep that is in the queue, and tell what its members say together."""
    from towline.operations.borrowed_runner import active_runner
    from towline.operations.simulation_following import follow
    from towline.operations.simulation_sweeps import sweep_outcome
    from towline.operations.simulations import settle

    for note in submitted.launch.notes:
        say(note)
    say(f"solver: {submitted.launch.solver}")
    kept = f", {len(submitted.kept)} kept" if submitted.kept else ""
    say(f"{plural(len(submitted.members), 'simulation')}{kept}; folder of the sweep: {submitted.folder}")
    if run.no_wait:
        if as_json:
            print_json({"sweep_dir": str(submitted.folder), "job_ids": list(submitted.job_ids)})
        else:
            write_out(f"{submitted.folder}\n")
        say("It runs when a runner is active: tow runner start")
        return
    progress = Progress()
    try:
        with active_runner(submitted.project):
            follow(submitted, progress.show, run.timeout)
    except KeyboardInterrupt:
        progress.end()
        say(f"The sweep goes on. To see it later: tow simulation show {submitted.folder}")
        raise click.exceptions.Exit(130) from None
    finally:
        progress.end()
    for member in submitted.members:
        settle(member, submitted.project)
    found = sweep_outcome(submitted.folder)
    if as_json:
        print_json(outcome_document(found))
    else:
        print_sweep(found)
    exit_with(found)


def print_sweep(found: "Outcome") -> None:
    """The members of a sweep with their verdicts, the checks of the whole, and the paths."""
    from towline.operations.simulation_records import outcome

    rows = []
    for folder in found.attempts:
        if folder.is_dir():
            rows.append(outcome(folder))
    print_table(
        [
            Column("Run", lambda one: one.folder.name),
            Column("Status", lambda one: one.status),
            Column("Verdict", lambda one: one.sentence),
        ],
        rows,
    )
    print_checks(found.record)
    for name, problem in (found.record.get("members_without_results") or {}).items():
        write_out(f"without results: {name}: {problem}\n")
    write_out(f"verdict of the sweep: {found.sentence}\n")
    print_paths(found)
