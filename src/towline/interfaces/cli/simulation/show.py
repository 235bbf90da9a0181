"""`tow simulation show`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from towline.interfaces.cli.display import print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.simulation.options import PlaceOptions, complete_physics, configuration_from
from towline.interfaces.cli.simulation.sweeping import print_sweep
from towline.interfaces.cli.simulation.telling import outcome_document, print_case, print_outcome, value_text
from towline.interfaces.cli.tables import Column, print_table

if TYPE_CHECKING:
    from towline.operations.simulation_records import Outcome
    from towline.simulations.application import Application


def command(
    place: PlaceOptions,
    what: Annotated[
        str | None,
        Argument(
            metavar="WHAT",
            help="A physics, or a run: its directory, its name or the beginning of it. Without it: what there is.",
            autocompletion=complete_physics,
        ),
    ] = None,
    log: Annotated[bool, Option("--log", "-l", help="Show the end of the log of the run.")] = False,
    as_json: Json = False,
) -> None:
    """Show what can be simulated, the parameters of a physics, or what came of a run."""
    from towline.operations.simulation_planning import find_physics, list_physics, physics_names
    from towline.operations.simulation_records import find_run, runs_folder

    if what is None:
        _show_all(list_physics(), as_json=as_json)
    elif what in physics_names():
        _show_physics(find_physics(what), as_json=as_json)
    else:
        folder = find_run(what, runs_folder(configuration_from(place)))
        _show_run(folder, log=log, as_json=as_json)


def _show_all(applications: "list[Application]", *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {"name": one.name, "label": one.label, "description": one.description, "presets": dict(one.presets)}
                | {"sweepable": list(one.sweepable)}
                for one in applications
            ]
        )
        return
    print_table(
        [
            Column("Physics", lambda one: one.name),
            Column("Description", lambda one: one.description),
            Column("Presets", lambda one: ", ".join(one.presets)),
        ],
        applications,
    )


def _show_physics(application: "Application", *, as_json: bool) -> None:
    from towline.operations.simulation_planning import parameter_rows

    rows = parameter_rows(application)
    if as_json:
        print_json(
            {"name": application.name, "label": application.label, "description": application.description}
            | {"parameters": rows, "presets": dict(application.presets), "sweepable": list(application.sweepable)}
        )
        return
    write_out(f"{application.label}: {application.description}\n\n")
    print_table(
        [
            Column("Parameter", lambda row: row["name"]),
            Column("Default", lambda row: "derived" if row["default"] is None else value_text(row["default"])),
            Column("Takes", lambda row: row["takes"]),
            Column("Meaning", lambda row: row["help"]),
            Column("Other names", lambda row: ", ".join(row["aliases"])),
        ],
        rows,
    )
    write_out("\npresets:\n")
    for name, values in application.presets.items():
        write_out(f"  {name}: {', '.join(f'{key}={value_text(value)}' for key, value in values.items())}\n")
    write_out(f"can be swept: {', '.join(application.sweepable)}\n")


def _show_run(folder: Path, *, log: bool, as_json: bool) -> None:
    from towline.operations.simulation_records import case_of, log_tail, outcome
    from towline.operations.simulation_sweeps import is_sweep, sweep_outcome

    if is_sweep(folder):
        found = sweep_outcome(folder)
        if as_json:
            print_json(outcome_document(found))
        else:
            print_sweep(found)
        return
    found = outcome(folder)
    waits = _waits(found)
    if as_json:
        params = {name: one.value for name, one in case_of(found.folder).values.items()}
        print_json(outcome_document(found) | {"params": params, "waits": list(waits)})
        return
    if log:
        write_out(log_tail(found.folder))
        return
    print_case(case_of(found.folder))
    print_outcome(found)
    for wait in waits:
        write_out(f"waits for: {wait}\n")


def _waits(found: "Outcome") -> tuple[str, ...]:
    """What keeps a run from starting, if it has not started."""
    from towline.operations.simulation_following import waits_of

    if found.status != "pending":
        return ()
    return waits_of([found.folder])
