"""`tow simulate`, which is also `tow simulation run`."""

from typing import TYPE_CHECKING, Annotated, Any

import click

from towline.interfaces.cli.display import print_json, say, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument
from towline.interfaces.cli.session import project_of
from towline.interfaces.cli.simulation.options import (
    CaseOptions,
    PlaceOptions,
    RunOptions,
    case_file_of,
    configuration_from,
)
from towline.interfaces.cli.simulation.sweeping import run_sweep
from towline.interfaces.cli.simulation.telling import (
    Progress,
    exit_with,
    outcome_document,
    print_case,
    print_cost,
    print_findings,
    print_outcome,
)

if TYPE_CHECKING:
    from towline.operations.simulation_planning import Planned
    from towline.operations.simulation_requests import CaseFile
    from towline.operations.simulations import Submitted


def command(
    context: click.Context,
    case: CaseOptions,
    place: PlaceOptions,
    run: RunOptions,
    sentence: Annotated[
        str | None, Argument(metavar="SENTENCE", help="What to simulate, in plain words, instead of parameters.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate: plan, run through the queue, judge, draw. Ends with a verdict and the paths of what was made.

    Exit codes: 0 CREDIBLE, 1 refused, 3 the run failed, 4 FALSIFIED, 5 INCONCLUSIVE.
    """
    if sentence is not None:
        from towline.interfaces.cli.simulation.sentences import simulate_sentence

        simulate_sentence(context, sentence, case, place, run, as_json=as_json)
        return
    asked = case_file_of(case)
    if asked.sweep or asked.seeds:
        run_sweep(context, asked, place, run, as_json=as_json)
        return
    simulate_case(context, asked, place, run, as_json=as_json)


def simulate_case(
    context: click.Context, asked: "CaseFile", place: PlaceOptions, run: RunOptions, *, as_json: bool
) -> None:
    """Plan, run and tell one case."""
    # What runs simulations loads numpy and the runner; help needs neither.
    from towline.operations.simulation_planning import plan
    from towline.operations.simulations import submit_simulation

    config = configuration_from(place)
    for warning in config.warnings:
        say(warning)
    planned = plan(asked.physics or "grain_growth", asked.params, preset=asked.preset)
    if run.dry_run:
        show_plan(planned, as_json=as_json)
        return
    if not as_json:
        print_case(planned.case)
    print_findings(planned)
    print_cost([planned])
    submitted = submit_simulation(
        planned,
        config=config,
        project=project_of(context),
        backend_name=run.backend_name or asked.backend_name or "",
        force=run.force,
        attempts=run.attempts,
    )
    wait_and_tell(context, submitted, run, as_json=as_json)


def show_plan(planned: "Planned", *, as_json: bool) -> None:
    """Show what would be run; exit code 1 when the preflight found errors."""
    from towline.operations.simulation_planning import plan_document

    if as_json:
        print_json(plan_document(planned))
    else:
        print_case(planned.case, all_values=True)
        print_findings(planned)
        print_cost([planned])
        say("dry run: nothing was run")
    if planned.errors:
        raise click.exceptions.Exit(1)


def wait_and_tell(context: click.Context, submitted: "Submitted", run: RunOptions, *, as_json: bool) -> None:
    """Wait for a simulation that is in the queue, and tell what came of it."""
    from towline.operations.borrowed_runner import active_runner
    from towline.operations.simulation_following import follow
    from towline.operations.simulation_records import outcome
    from towline.operations.simulations import settle

    for note in submitted.launch.notes:
        say(note)
    say(f"solver: {submitted.launch.solver}")
    say(f"jobs {' '.join(submitted.job_ids)} of the project {submitted.project}; run directory: {submitted.folder}")
    if run.no_wait:
        _tell_submitted(submitted, as_json=as_json)
        return
    progress = Progress()
    try:
        with active_runner(submitted.project):
            follow(submitted, progress.show, run.timeout)
    except KeyboardInterrupt:
        progress.end()
        say(f"The simulation goes on. To see it later: tow simulation show {submitted.run_id}")
        raise click.exceptions.Exit(130) from None
    finally:
        progress.end()
    settle(submitted.folder, submitted.project)
    found = outcome(submitted.folder)
    if as_json:
        print_json(outcome_document(found))
    else:
        print_outcome(found)
    exit_with(found)


def _tell_submitted(submitted: "Submitted", *, as_json: bool) -> None:
    document: dict[str, Any] = {
        "run_id": submitted.run_id,
        "run_dir": str(submitted.folder),
        "job_ids": list(submitted.job_ids),
    }
    if as_json:
        print_json(document)
    else:
        write_out(f"{submitted.run_id}\n")
    say("It runs when a runner is active: tow runner start")
